"""Where addresses are, by a file in MaxMind's format."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from gatewaylog.audit.rules.places import Places
from gatewaylog.audit.rules.too_fast import TooFast
from tests.audit.rules.rows import use

if TYPE_CHECKING:
    from pathlib import Path

MADRID, TOKYO = (40.4, -3.7), (35.7, 139.7)


def places(folder: Path) -> Path:
    """A file that knows two networks, and one of which it says nothing of use."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, place in (("192.0.2.0/24", MADRID), ("2001:db8::/48", TOKYO)):
        location = {"latitude": place[0], "longitude": place[1]}
        writer.insert_network(IPSet([network]), {"location": location})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"location": {"latitude": "north"}})
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": "ES"})
    path = folder / "places.mmdb"
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", MADRID),
        ("2001:db8::1", TOKYO),
        ("2001:db8::1%eth0", TOKYO),
        ("198.51.100.1", None),
        ("203.0.113.1", None),
        ("10.0.0.1", None),
        ("pseudonym:5f2b", None),
        ("", None),
    ],
)
def test_an_address_is_where_the_file_says(
    tmp_path: Path, address: str, place: tuple[float, float] | None
) -> None:
    with contextlib.closing(Places(places(tmp_path))) as known:
        found = known(address)
    assert found is None if place is None else found == pytest.approx(place)


def test_who_would_have_to_fly_is_found(tmp_path: Path) -> None:
    with contextlib.closing(Places(places(tmp_path))) as known:
        rule = TooFast(locate=known)
        assert not list(rule.use(use(0.0, remote_ip="192.0.2.7")))
        (finding,) = rule.use(use(600.0, remote_ip="2001:db8::1"))
    assert "km apart" in finding.detail


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no places", "is no file of places in MaxMind's format"), (None, "can't be read: No such")],
)
def test_a_file_that_can_not_be_read_is_refused(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "places.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=told):
        Places(path)


def test_damage_is_told_once_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = places(tmp_path)
    whole = path.read_bytes()
    tree = whole.index(b"location")  # the first of the data behind the tree
    path.write_bytes(whole[: tree - 4] + b"\xff" * 12 + whole[tree + 8 :])
    with contextlib.closing(Places(path)) as known:
        assert {known(address) for address in ("192.0.2.7", "2001:db8::1")} == {None}
    assert capsys.readouterr().err.count("is damaged") == 1


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(ValueError, match=r"pip install 'gatewaylog\[geoip\]'"):
        Places(tmp_path)
