"""The rules over the rows of the store find what they find over the same rows in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gatewaylog.audit.queries.asking import Asking
from gatewaylog.audit.queries.findings import findings
from gatewaylog.audit.rules import rules
from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.tables import token_events
from tests.audit.queries.conftest import add

if TYPE_CHECKING:
    from gatewaylog.audit.rules import Finding

BEGIN = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
Life = tuple[str, str | None, str, datetime | None]


def found(url: str, since: datetime = BEGIN, **limits: Any) -> list[Finding]:
    with Asking(url).reading() as connection:
        return list(
            findings(
                connection,
                rules(**limits),
                since=since,
                until=BEGIN + timedelta(days=1),
                history=BEGIN - timedelta(days=30),
            )
        )


def guesses(begin: datetime, count: int = 25) -> list[dict[str, Any]]:
    refused = [
        {"access_time": begin + n * SECOND, "status_code": 401, "remote_ip": "192.0.2.1"}
        for n in range(count)
    ]
    good = {
        "access_time": begin + (count + 1) * SECOND,
        "status_code": 200,
        "remote_ip": "192.0.2.1",
        "application_name": "shop",
        "message_id": "urn:uuid:good",
    }
    return [*refused, good]


def test_refusals_before_a_success_are_found_with_the_rows_that_show_them(store: str) -> None:
    add(store, guesses(BEGIN))
    (finding,) = found(store)
    assert (finding.rule, finding.client, finding.rows[-1]) == ("R06", "shop", "urn:uuid:good")


def test_fewer_refusals_are_not(store: str) -> None:
    add(store, guesses(BEGIN, count=19))
    assert found(store) == []


def test_thresholds_are_those_given(store: str) -> None:
    add(store, guesses(BEGIN, count=19))
    assert [one.rule for one in found(store, thresholds={"R06": {"refusals": 3}})] == ["R06"]


def test_what_was_found_before_is_not_told(store: str) -> None:
    add(store, guesses(BEGIN))
    assert found(store, since=BEGIN + timedelta(hours=1)) == []


def test_a_token_that_is_used_behind_its_end_is_found_by_its_life_and_its_use(store: str) -> None:
    reference = "b" * 32
    add(
        store,
        [
            {
                "access_time": BEGIN + timedelta(hours=2),
                "token_ref": reference,
                "api_client_key": "shop-id",
                "application_name": "shop",
                "status_code": 200,
            }
        ],
    )
    lives = [
        ("issued", reference, "shop-id", BEGIN + timedelta(hours=1)),
        ("refused", None, "shop-id", None),
    ]
    _add_lives(store, lives)
    assert [(one.rule, one.client) for one in found(store)] == [("R07", "shop")]


def test_tokens_without_use_are_found_by_the_clients_id_where_no_use_tells_a_name(
    store: str,
) -> None:
    lives: list[Life] = [
        ("issued", f"{n:032x}", "idle-id", BEGIN + timedelta(minutes=30)) for n in range(30)
    ]
    _add_lives(store, lives)
    assert {(one.rule, one.client) for one in found(store)} >= {("R09", "idle-id")}


def _add_lives(url: str, lives: list[Life]) -> None:
    engine = engine_at(url)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT gatewaylog.ensure_partition(:at)"), {"at": BEGIN})
    engine.dispose()
    made = [
        {
            "id": f"{number}",
            "at": BEGIN + number * SECOND,
            "kind": kind,
            "token_ref": reference,
            "client_id": client,
            "expires_at": ends,
            "reason": None,
            "remote_ip": None,
        }
        for number, (kind, reference, client, ends) in enumerate(lives)
    ]
    add(url, made, token_events)
