"""Why a destination takes nothing is told clearly, and not each time that it is tried."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import trustme

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.stopping import Stop
from gatewaylog.sinks.shipped import unpassed
from tests.ship.counterparts import Reply, Request, listening
from tests.ship.logs import QUICK, append, line, lines, once, rotate
from tests.ship.shipping import shipping
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ship.counterparts import LokiStore


def context_for(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("name", "is_trusted", "told"),
    [
        (
            "localhost",
            False,
            "unable to get local issuer certificate; ca names a file of certificates to trust",
        ),
        (
            "other.example",
            True,
            "Hostname mismatch, certificate is not valid for 'localhost'",
        ),
    ],
)
def test_a_wrong_certificate_is_told_once_with_what_is_wrong_and_where(
    log: Path,
    state: Path,
    tmp_path: Path,
    store: LokiStore,
    capfd: pytest.CaptureFixture[str],
    name: str,
    told: str,
    *,
    is_trusted: bool,
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    append(log, range(3))
    ca = str(tmp_path / "ca.pem") if is_trusted else ""
    hasty = replace(QUICK, patience=0.3)
    with listening(store.take, context_for(authority, name)) as loki:
        settings = Settings(to="loki", url=loki.url, ca=ca)
        with pytest.raises(ShipError, match="given up"):
            ship(settings, [log], state, Stop(), once=True, pace=hasty)
    assert capfd.readouterr().err.splitlines() == [
        f"gatewaylog: loki: no answer from {loki.url}: wrong certificate: {told};"
        " trying again, nothing is lost"
    ]
    assert store.lines == []


def test_a_certificate_that_is_mended_is_taken(
    log: Path, state: Path, tmp_path: Path, store: LokiStore
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    append(log, range(3))
    ca = str(tmp_path / "ca.pem")
    with (
        listening(store.take, context_for(authority, "other.example")) as loki,
        shipping(log, state, to="loki", url=loki.url, ca=ca),
    ):
        wait_for((state / "checkpoint.json").exists)
        loki.stop()
        loki.secured = context_for(authority, "localhost")
        loki.start()
        wait_for(lambda: len(store.lines) == 3)
    assert store.lines == lines(range(3))


def test_each_reason_is_told_once_until_lines_are_taken(
    log: Path, state: Path, store: LokiStore, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[Reply] = [(500, {}, b"first"), (503, {}, b"second")]
    answers = iter([*said, *said, *said])

    def take(request: Request) -> Reply:
        return next(answers, None) or store.take(request)

    append(log, range(3))
    with listening(take) as loki:
        once(log, state, to="loki", url=loki.url)
    assert capfd.readouterr().err.splitlines() == [
        "gatewaylog: loki: HTTP 500: first; trying again, nothing is lost",
        "gatewaylog: loki: HTTP 503: second; trying again, nothing is lost",
        "gatewaylog: loki: takes lines again",
    ]


def test_reasons_that_are_new_each_time_do_not_flood(
    log: Path, state: Path, store: LokiStore, capfd: pytest.CaptureFixture[str]
) -> None:
    numbers = iter(range(25))

    def take(request: Request) -> Reply:
        number = next(numbers, None)
        return store.take(request) if number is None else (500, {}, b"request %d" % number)

    append(log, range(3))
    with listening(take) as loki:
        once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(3))
    assert capfd.readouterr().err.count("trying again") == 10


def test_empty_lines_tell_nothing_and_stop_nothing(
    log: Path, state: Path, store: LokiStore
) -> None:
    log.write_bytes(b"\n\n")
    append(log, [1])
    log.write_bytes(log.read_bytes() + b"\n" * 5000)
    append(log, [2])
    log.write_bytes(log.read_bytes() + b"\n")
    with listening(store.take) as loki:
        once(log, state, to="loki", url=loki.url)
        append(log, [3])
        once(log, state, to="loki", url=loki.url)
    assert store.lines == lines([1, 2, 3])


def test_files_that_begin_with_an_empty_line_are_told_apart(
    log: Path, state: Path, store: LokiStore
) -> None:
    """By it alone they were one file, and the lines of the others were lost."""
    with listening(store.take) as loki:
        for number in range(3):
            log.write_bytes(b"\n" + line(number))
            rotate(log)
        log.write_bytes(b"\n")
        once(log, state, to="loki", url=loki.url)
        append(log, [3])
        once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(4))
    assert unpassed(log.with_name("api.log.2"), [state]) == []  # so that it may be deleted
