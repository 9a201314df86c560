"""From lines to rows: nothing that a line holds keeps its row out."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.audit.events import AuditEvent, GatewayEvent, SessionState, UserEvent
from gatewaylog.audit.store import rows
from gatewaylog.audit.store.clients import Client
from gatewaylog.audit.store.tables import LONGEST_IDENTITY

if TYPE_CHECKING:
    from collections.abc import Mapping

AT = 1_700_000_000_123_000_000
FIELDS = {
    "Event": "REQUEST_COMPLETE",
    "MessageID": "urn:uuid:1",
    "TokenRef": "ab" * 16,
    "APPLICATION_NAME": "Shop",
    "API": "acme--Shop:v1",
    "RequestInMethod": "GET",
    "RequestInURL": "/shop/1?a=b",
    "RequestOutURL": "http://backend/1",
    "StatusCode": "200",
    "RemoteIP": "2001:db8::1",
    "UserAgent": "curl/8",
    "Outcome": "ok",
    "DurationMs": "5.25",
}
CLIENT = Client("shop-1", "Shop", "Acme")


def row(fields: Mapping[str, str], client: Client = CLIENT) -> dict[str, Any]:
    use = rows.use_of(fields, AT)
    assert use is not None
    return dict(zip(rows.USE, use.values(client), strict=True))


def test_each_field_is_in_its_column() -> None:
    assert row(FIELDS) == {
        "token_ref": "ab" * 16,
        "access_time": datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC),
        "api_client_id": None,
        "api_client_key": "shop-1",
        "application_id": None,
        "application_name": "Shop",
        "vendor_id": None,
        "vendor_name": "Acme",
        "api": "acme--Shop:v1",
        "method": "GET",
        "request_url": "/shop/1?a=b",
        "backend_url": "http://backend/1",
        "status_code": 200,
        "error_code": None,
        "remote_ip": "2001:db8::1",
        "user_agent": "curl/8",
        "message_id": "urn:uuid:1",
        "outcome": "ok",
        "duration_ms": 5.25,
    }


def test_an_error_has_its_code() -> None:
    found = row(FIELDS | {"Event": "ERROR", "ERROR_CODE": "900902", "RequestOutURL": "null"})
    assert (found["error_code"], found["backend_url"]) == ("900902", None)


@pytest.mark.parametrize(
    "changed", [{"Event": "INCOMING_REQUEST"}, {"TokenRef": "null"}, {"Event": "LOG_LOSS"}]
)
def test_no_other_line_has_a_row(changed: dict[str, str]) -> None:
    assert rows.use_of(FIELDS | changed, AT) is None


def test_nobodys_name_is_none() -> None:
    use = rows.use_of(FIELDS | {"APPLICATION_NAME": "-"}, AT)
    assert use is not None
    assert use.name is None


@pytest.mark.parametrize("missing", ["", "null"])
def test_a_use_that_is_known_by_nothing_is_told(missing: str) -> None:
    with pytest.raises(rows.NoRow, match="MessageID"):
        rows.use_of(FIELDS | {"MessageID": missing}, AT)


@pytest.mark.parametrize("seconds", [-1, 7_258_118_400])
def test_times_that_no_partition_holds_are_told(seconds: int) -> None:
    with pytest.raises(rows.NoRow, match="1970 to 2199"):
        rows.use_of(FIELDS, seconds * 10**9)


@pytest.mark.parametrize(
    ("field", "column", "value", "expected"),
    [
        ("StatusCode", "status_code", "abc", None),
        ("StatusCode", "status_code", "99999999999", None),
        ("StatusCode", "status_code", "2147483648", None),
        ("StatusCode", "status_code", "٣", None),
        ("DurationMs", "duration_ms", "nan", None),
        ("DurationMs", "duration_ms", "inf", None),
        ("DurationMs", "duration_ms", "quick", None),
        ("UserAgent", "user_agent", "a\0b", "a\ufffdb"),
        ("UserAgent", "user_agent", "é\0\udcff", "é\ufffd\\udcff"),
        ("UserAgent", "user_agent", "x" * 100_000, "x" * 100_000),
    ],
)
def test_odd_values_keep_no_row_out(field: str, column: str, value: str, expected: object) -> None:
    assert row(FIELDS | {field: value})[column] == expected


def test_a_long_identity_is_cut_and_stays_its_own() -> None:
    first, second = (row(FIELDS | {"MessageID": "m" * 5000 + end}) for end in "ab")
    assert first["message_id"] != second["message_id"]
    assert len(first["message_id"]) == len(second["message_id"]) == LONGEST_IDENTITY


def life(detail: str | None, event: str = GatewayEvent.TOKEN_ISSUED) -> dict[str, Any]:
    recorded = AuditEvent(event=event, at=1e9, requestor="shop-1", ip="::1", detail=detail)
    found = rows.life_of(recorded, "id")
    assert found is not None
    return dict(zip(rows.LIFE, found, strict=True))


@pytest.mark.parametrize(
    ("detail", "reference", "until", "reason"),
    [
        ("token_ref=ab expires_at=2026-01-01T00:00:00Z", "ab", 2026, None),
        ("token_ref=ab", "ab", None, None),
        ("reason=wrong secret token_ref=zz", None, None, "wrong secret token_ref=zz"),
        ("token_ref=ab expires_at=never reason=x", "ab", None, "x"),
        ("token_ref=ab expires_at=2026-01-01T00:00:00", "ab", 2026, None),
        ("something else", None, None, "something else"),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_what_happened_to_a_token_is_read_from_its_detail(
    detail: str | None, reference: str | None, until: int | None, reason: str | None
) -> None:
    found = life(detail)
    assert found["at"] == datetime.fromtimestamp(1e9, UTC)
    assert (found["id"], found["kind"], found["client_id"]) == ("id", "issued", "shop-1")
    assert (found["token_ref"], found["reason"], found["remote_ip"]) == (reference, reason, "::1")
    assert (found["expires_at"] and found["expires_at"].year) == until
    assert found["expires_at"] is None or found["expires_at"].tzinfo is not None


def test_only_what_happened_to_tokens_is_of_their_life() -> None:
    kinds = {GatewayEvent.TOKEN_REFUSED: "refused", GatewayEvent.TOKEN_REVOKED: "revoked"}
    assert {event: life(None, event)["kind"] for event in kinds} == kinds
    assert rows.life_of(AuditEvent(event=UserEvent.USER_ADDED, at=1.0), "id") is None


def test_an_event_fits_the_pages_columns() -> None:
    event = AuditEvent(
        event="E" * 300, at=1.5, state=SessionState.AUTHN_OK, user="a\0b", session_id="s" * 99
    )
    found = dict(zip(rows.EVENT, rows.event_of(event, "line"), strict=True))
    assert found["event"] == "E" * 254 + "…"
    assert found["session_id"] == "s" * 23 + "…"
    assert (found["user_id"], found["state"], found["line_id"]) == ("a\ufffdb", 11, "line")
    assert found["log_timestamp"] == datetime.fromtimestamp(1.5, UTC)


def test_a_line_without_an_id_is_known_by_where_it_stands() -> None:
    told = {
        rows.line_identity(*where, raw=raw)
        for where in [("a", "b", "1"), ("a", "b", "2"), ("a", "c", "1"), ("ab", "", "1")]
        for raw in (b"x", b"\xff")
    }
    assert len(told) == 8
    assert {len(name) for name in told} == {32}
    assert all(set(name) <= set(string.hexdigits) for name in told)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=400)))
def test_whatever_a_line_holds_its_row_is_one_that_databases_take(odd: dict[str, str]) -> None:
    fields = FIELDS | odd | {"Event": "ERROR", "MessageID": "m", "TokenRef": "r"}
    for value in row(fields).values():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()
