"""Logs to a database: each use of a token is a row, once, whatever becomes of the database."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.events import AuditEvent, GatewayEvent
from gatewaylog.audit.events.line import encode_json, encode_line
from gatewaylog.audit.store.clients import Application, Known
from gatewaylog.exceptions import ShipError
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings, destination_of
from gatewaylog.ship.stopping import Stop
from tests.reader.logs import BEGIN, complete, encoded, error, incoming
from tests.ship.databases import WRITER, Target, run, to
from tests.ship.logs import QUICK, ndjson, once, pack, rotate
from tests.ship.token_logs import append, expected, held, record, reference, use

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql import Cluster


def test_each_line_is_the_row_that_it_tells_of(log: Path, state: Path, target: Target) -> None:
    append(log, range(100))
    to(target, log, state)
    assert held(target.owner) == expected(100)
    assert ndjson(state / "dead-letters.ndjson") == []


def test_the_same_lines_again_change_nothing(
    log: Path, state: Path, target: Target, tmp_path: Path
) -> None:
    """Though the state was lost, and the log rotated and packed meanwhile."""
    append(log, range(100))
    to(target, log, state)
    rotate(log)
    pack(log.with_name(f"{log.name}.1"))
    to(target, log, tmp_path / "another")
    assert held(target.owner) == expected(100)
    assert ndjson(tmp_path / "another" / "dead-letters.ndjson") == []


def test_an_error_and_a_completion_keep_all_that_their_line_tells(
    log: Path, state: Path, target: Target
) -> None:
    told = error(
        1,
        token_ref="ab",
        error_code="900902",
        request_in_url="/shop/é",
        request_in_method="GET",
        remote_ip="2001:db8::1",
        user_agent='odd "agent", \u202e\n',
        outcome="refused",
        duration_ms=1.5,
    )
    log.write_bytes(encoded(told, 0.25))
    to(target, log, state)
    (row,) = target.rows("client_access_token_logs")
    assert {name: value for name, value in row.items() if value is not None} == {
        "log_id": 1,
        "token_ref": "ab",
        "access_time": row["access_time"],
        "api": "acme--Shop:v1",
        "method": "GET",
        "request_url": "/shop/é",
        "status_code": 504,
        "error_code": "900902",
        "remote_ip": "2001:db8::1",
        "user_agent": 'odd "agent", \u202e\n',
        "message_id": told.message_id,
        "outcome": "refused",
        "duration_ms": 1.5,
    }
    moment = row["access_time"]
    if target.server:
        assert moment.timestamp() == BEGIN + 0.25
    else:
        assert moment == "2023-11-14 22:13:20.250000"


def test_who_called_is_told_by_the_configuration(log: Path, state: Path, target: Target) -> None:
    digest = "ab" * 32
    shop = Application(name="Shop", vendor="Acme", client_id="shop-1", keys=(f"sha256:{digest}",))
    lines = [
        complete(1, token_ref=digest[:32], application_name="Shop"),
        complete(2, token_ref="00", application_name="Shop"),
        complete(3, token_ref="00"),
    ]
    log.write_bytes(b"".join(map(encoded, lines)))
    to(target, log, state, clients=Known(applications=(shop,)).text())
    found = target.rows("client_access_token_logs", "api_client_key, application_name, vendor_name")
    assert sorted(tuple(map(str, row.values())) for row in found) == [
        ("None", "None", "None"),
        (f"key:{digest[:8]}", "Shop", "Acme"),
        ("shop-1", "Shop", "Acme"),
    ]


@pytest.mark.parametrize("form", ["line", "json"])
def test_both_logs_go_by_one_shipper(log: Path, state: Path, target: Target, form: str) -> None:
    events = log.with_name("event.log")
    recorded = AuditEvent(
        event=GatewayEvent.TOKEN_REFUSED, requestor="x, y", ip="::1", detail="reason=bad secret"
    )
    encode = encode_line if form == "line" else encode_json
    events.write_bytes(encode(recorded, BEGIN) + record(2))
    log.write_bytes(use(1))
    settings = Settings(to="database", url=target.url)
    ship(settings, [log, events], state, Stop(), once=True, pace=QUICK)
    assert len(target.rows("client_access_token_logs")) == 1
    (life,) = target.rows("token_events", "kind, token_ref, client_id, reason, remote_ip")
    assert list(life.values()) == ["refused", None, "x, y", "bad secret", "::1"]
    found = target.rows("event_log", "event, requestor_id, ip, message")
    assert [row["event"] for row in found] == ["TOKEN_REFUSED", "CONFIGURATION_LOADED"]
    assert found[0]["message"] == "reason=bad secret"
    assert len(target.rows("ship_checkpoints")) == 2


def test_two_equal_records_of_one_second_are_two_rows(
    log: Path, state: Path, target: Target
) -> None:
    log.write_bytes(record(7) * 3)
    to(target, log, state)
    assert len(target.rows("token_events")) == len(target.rows("event_log")) == 3


def test_the_checkpoint_is_in_the_database_too(log: Path, state: Path, target: Target) -> None:
    append(log, range(10))
    to(target, log, state, job="edge", host="gw1")
    append(log, range(10, 30))
    to(target, log, state, job="edge", host="gw1")
    (row,) = target.rows("ship_checkpoints", "shipper, name, position")
    assert row == {"shipper": "edge@gw1", "name": str(log), "position": log.stat().st_size}


def test_what_can_have_no_row_is_a_dead_letter(log: Path, state: Path, target: Target) -> None:
    late = encoded(complete(5, token_ref="ab"), 8e9)
    log.write_bytes(use(1) + b"nonsense \xff\n" + late + use(3) + b"[2026-11-21 10:00:00] a, b\n")
    to(target, log, state)
    assert len(target.rows("client_access_token_logs")) == 2
    assert [letter["reason"] for letter in ndjson(state / "dead-letters.ndjson")] == [
        "is no event, and no record of the event log",
        "is not of the years 1970 to 2199",
        "is no event, and no record of the event log",
    ]


def test_odd_values_keep_no_row_out(log: Path, state: Path, target: Target) -> None:
    """NUL and lone surrogates, which PostgreSQL refuses; an identity too long for its index."""
    odd = {"token_ref": "r" * 3000, "user_agent": "a\0b\udcff", "remote_ip": "x" * 5000}
    message = "".join(chr(256 + number) for number in range(3000))  # that packs badly
    lines = [
        encoded(complete(1, **odd)),
        encoded(complete(2, message_id=message, token_ref="a")),
        encode_json(AuditEvent(event="E\0", user="u\udc80" * 500, detail="\0" * 999), BEGIN),
        use(3),
    ]
    log.write_bytes(b"".join(lines))
    to(target, log, state)
    assert len(target.rows("client_access_token_logs")) == 3
    assert len(target.rows("event_log")) == 1
    assert ndjson(state / "dead-letters.ndjson") == []


def test_a_row_that_the_database_refuses_for_good_is_a_dead_letter(
    log: Path, state: Path, postgres: Target
) -> None:
    """A check that somebody has added: the others go in."""
    run(postgres, "ALTER TABLE gatewaylog.client_access_token_logs ADD CHECK (status_code < 500)")
    numbers = range(1, 40, 2)
    bad = encoded(complete(99, token_ref="a", status_code=500))
    log.write_bytes(b"".join(map(use, numbers)) + bad)
    to(postgres, log, state)
    assert len(postgres.rows("client_access_token_logs")) == len(numbers)
    (letter,) = ndjson(state / "dead-letters.ndjson")
    assert "violates check constraint" in letter["reason"]


def test_without_tables_it_says_who_makes_them(log: Path, state: Path, server: Cluster) -> None:
    append(log, range(10))
    with server.fresh() as name, pytest.raises(ShipError, match="tokens init"):
        once(log, state, to="database", url=server.url(name))
    path = log.with_name("none.db")
    with pytest.raises(ShipError, match="tokens init"):
        once(log, state, to="database", url=f"sqlite:///{path}")
    assert not path.exists()
    path.touch()
    with pytest.raises(ShipError, match=r"no such table.*tokens init"):
        once(log, state, to="database", url=f"sqlite:///{path}")


def test_what_is_no_database_is_told(log: Path, state: Path) -> None:
    append(log, range(10))
    log.with_name("text.db").write_text("this is no database, and never was\n" * 100)
    with pytest.raises(ShipError, match="file is not a database"):
        once(log, state, to="database", url=f"sqlite:///{log.parent}/text.db")


def test_a_login_that_may_not_is_told(log: Path, state: Path, postgres: Target) -> None:
    append(log, range(10))
    run(postgres, "DROP ROLE IF EXISTS nobody_at_all")
    for user in ("nobody_at_all", "gatewaylog_reader"):  # which is no login
        with pytest.raises(ShipError, match=f"{user}.* (does not exist|is not permitted)"):
            once(log, state, to="database", url=postgres.url.replace(WRITER, user))
    run(postgres, "CREATE ROLE nobody_at_all LOGIN")
    with pytest.raises(ShipError, match="permission denied"):
        once(log, state, to="database", url=postgres.url.replace(WRITER, "nobody_at_all"))


@pytest.mark.parametrize("url", ["", "mysql://h/d", "sqlite://", "http://localhost"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(ShipError, match="url must be one like sqlite:///"):
        destination_of(Settings(to="database", url=url))


def test_a_port_that_is_none_is_told() -> None:
    with pytest.raises(ShipError, match="URL can't be read"):
        destination_of(Settings(to="database", url="postgresql://host:x/name"))


def test_a_password_may_come_apart_from_the_address(log: Path, state: Path) -> None:
    """And is in no message."""
    append(log, range(10))
    url = "postgresql://127.0.0.1:1/name"
    pace_out = Settings(to="database", url=url, user="u", password="secret")
    stop = Stop()
    threading.Timer(0.3, stop.set).start()
    ship(pace_out, [log], state, stop, pace=QUICK)
    assert "secret" not in repr(pace_out)


def test_the_state_tells_no_secret(log: Path, state: Path, sqlite: Target) -> None:
    append(log, range(10))
    known = Known(pseudonym_key="canary-key", tokens="sqlite:///canary.db").text()
    to(sqlite, log, state, clients=known, password="")
    for file in state.iterdir():
        assert "canary" not in file.read_text()
    assert "canary" not in repr(Settings(to="database", clients=known))
    assert json.loads((state / "checkpoint.json").read_text())["to"] == "database"


def test_lines_of_other_kinds_have_no_row(log: Path, state: Path, target: Target) -> None:
    log.write_bytes(encoded(incoming(1)) + encoded(complete(1)) + use(3))
    to(target, log, state)
    (row,) = target.rows("client_access_token_logs", "token_ref")
    assert row == {"token_ref": reference(3)}
