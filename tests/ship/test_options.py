"""What a delivery may be told: options of its destination, with values that can be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.options import secret_in
from gatewaylog.ship.settings import DESTINATIONS, Settings, destination_of

if TYPE_CHECKING:
    from pathlib import Path

_ADDRESSES = {"syslog": "udp://h", "database": "sqlite:///d.db"}


def made(to: str, **given: Any) -> None:
    where = {"command": ("cat",)} if to == "command" else {"url": _ADDRESSES.get(to, "http://h")}
    token = {"token": "t"} if to == "splunk" else {}
    destination_of(Settings(**{"to": to} | where | token | given)).close()


@pytest.mark.parametrize("to", DESTINATIONS)
@pytest.mark.parametrize(
    "given", [{"tenant": "x"}, {"index": "x"}, {"table": "x"}, {"command": ("x",)}, {"url": "u"}]
)
def test_an_option_of_another_destination_is_refused(to: str, given: dict[str, Any]) -> None:
    (name,) = given
    homes = {"tenant": {"loki"}, "index": {"splunk"}, "table": {"clickhouse"}}
    homes |= {"command": {"command"}, "url": set(DESTINATIONS) - {"command"}}
    if to not in homes[name]:
        with pytest.raises(ShipError, match=rf"^{to} takes no {name}: its options are \w+(, \w+)+"):
            made(to, **given)


def test_all_options_that_do_not_belong_are_named() -> None:
    with pytest.raises(
        ShipError, match=r"^loki takes no command, table: its options are url, user"
    ):
        made("loki", table="x", command=("x",))


@pytest.mark.parametrize(
    "value", ["se-cr\u00e9t", "se-cret\nx", " se-cret", "se-cret\r", "\x1bse-cret"]
)
@pytest.mark.parametrize(("to", "name"), [("loki", "tenant"), ("loki", "token"), ("otlp", "token")])
def test_what_no_header_may_hold_is_refused_and_not_shown(to: str, name: str, value: str) -> None:
    with pytest.raises(ShipError) as told:
        made(to, **{name: value})
    assert str(told.value) == f"{to}: {name} must be printable ASCII characters in one line"


@pytest.mark.parametrize("name", ["user", "password", "job"])
@pytest.mark.parametrize("value", ["se-cret\n", "\0se-cret", "se-cret\udcff"])
def test_control_characters_are_refused_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(ShipError) as told:
        made("clickhouse", **{"user": "u", "password": "p"} | {name: value})
    assert str(told.value) == f"clickhouse: {name} must be text without control characters"


def test_names_in_other_scripts_are_good() -> None:
    made("otlp", job="Würzburg", host="école")
    made("loki", user="Zoë", password="pass wörd")


@pytest.mark.parametrize("to", ["loki", "otlp"])
def test_credentials_are_whole_and_of_one_kind(to: str) -> None:
    with pytest.raises(ShipError, match=f"{to}: user needs a password"):
        made(to, user="u")
    with pytest.raises(ShipError, match=f"{to}: password needs user"):
        made(to, password="p")
    with pytest.raises(ShipError, match=f"{to}: user and token exclude each other"):
        made(to, user="u", password="p", token="t")
    with pytest.raises(ShipError, match=f'{to}: user must be text without ":"'):
        made(to, user="u:v", password="p")


def test_clickhouse_has_users_without_a_password() -> None:
    made("clickhouse", user="writer")


def test_a_log_without_a_name_there_is_refused() -> None:
    with pytest.raises(ShipError, match="loki: job must not be empty"):
        made("loki", job="")


@pytest.mark.parametrize("host", ["a..b", "a" * 64, ".a"])
@pytest.mark.parametrize(("to", "scheme"), [("loki", "http"), ("syslog", "tcp")])
def test_a_name_that_no_machine_has_is_refused(to: str, scheme: str, host: str) -> None:
    with pytest.raises(ShipError, match=f"{to}: url must be one like"):
        made(to, url=f"{scheme}://{host}")


@pytest.mark.parametrize("content", ["t", "t\n", " t \r\n", "\ufefft\n"])
def test_a_secret_is_the_one_line_of_its_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content.encode())
    assert secret_in(file, header=True) == "t"


@pytest.mark.parametrize(
    ("content", "allowed"),
    [
        (b"se-cret\nse-cret\n", "must hold printable ASCII characters in one line"),
        ("se-cr\u00e9t".encode(), "must hold printable ASCII characters in one line"),
        (b"\xffse-cret", "must hold one line of text in UTF-8"),
        (b"", "must hold printable ASCII characters in one line"),
    ],
)
def test_a_file_that_holds_no_token_is_named_and_not_shown(
    tmp_path: Path, content: bytes, allowed: str
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ShipError) as told:
        secret_in(file, header=True)
    assert str(told.value).startswith(f"{file}: {allowed}")


@pytest.mark.parametrize("content", [b"se-cret\nse-cret", b"\n", b"se-cret\0"])
def test_a_file_that_holds_no_password_is_named_and_not_shown(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(ShipError) as told:
        secret_in(file, header=False)
    assert str(told.value) == (
        f"{file}: must hold one line without control characters, and nothing else"
    )


def test_a_password_may_be_in_any_script(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pass wörd\n")
    assert secret_in(tmp_path / "password", header=False) == "pass wörd"


@pytest.mark.parametrize(
    "given",
    ["api-key=se-cr\u00e9t", "api-key=se-cret%0a", "se-cr\u00e9t=x", "a b=se-cret", "=se-cret"],
)
def test_a_header_of_the_usual_variable_that_can_not_be_sent_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", given)
    with pytest.raises(ShipError, match="OTEL_EXPORTER_OTLP_HEADERS must be") as told:
        made("otlp")
    assert "se-cr" not in str(told.value)
