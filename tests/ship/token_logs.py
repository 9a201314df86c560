"""Logs that tell of tokens, and what of them a database has to hold."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gatewaylog.audit.events import AuditEvent, GatewayEvent
from gatewaylog.audit.events.line import encode_line
from gatewaylog.audit.store.engine import engine_at
from tests.reader.logs import BEGIN, complete, encoded, incoming

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_EVERY = 7  # so many exchanges a record of the event log, half of them of a token's life
TABLES = ("client_access_token_logs", "token_events", "event_log")


def reference(number: int) -> str:
    return f"{number % 50:032x}"


def use(number: int) -> bytes:
    event = complete(number, token_ref=reference(number), application_name="Shop")
    return encoded(event, number / 1000)


def record(number: int) -> bytes:
    kind = GatewayEvent.TOKEN_ISSUED if number % 2 else GatewayEvent.CONFIGURATION_LOADED
    detail = f"token_ref={reference(number)}" if number % 2 else "4 APIs"
    return encode_line(AuditEvent(event=kind, requestor="shop-1", detail=detail), BEGIN + number)


def line(number: int) -> bytes:
    """A request, a use of a token, or a record of the event log."""
    if number % _EVERY == 0:
        return record(number)
    return use(number) if number % 2 else encoded(incoming(number), number / 1000)


def append(log: Path, numbers: Iterable[int]) -> None:
    with log.open("ab") as file:
        file.write(b"".join(map(line, numbers)))


def _uses(written: int) -> list[int]:
    return [number for number in range(written) if number % _EVERY and number % 2]


def expected(written: int) -> list[Counter[str]]:
    """MessageIDs, the references of tokens' lives, and the events, of the first so many lines."""
    records = range(0, written, _EVERY)
    lives = [reference(number) for number in records if number % 2]
    return [
        Counter(str(complete(number).message_id) for number in _uses(written)),
        Counter(lives),
        Counter({"TOKEN_ISSUED": len(lives), "CONFIGURATION_LOADED": len(records) - len(lives)}),
    ]


def held(url: str) -> list[Counter[str]]:
    """The same, of what a database holds."""
    engine = engine_at(url, reads=True)
    columns = ("message_id", "token_ref", "event")
    schema = "" if url.startswith("sqlite") else "gatewaylog."
    try:
        with engine.connect() as connection:
            return [
                Counter(
                    connection.execute(sa.text(f"SELECT {column} FROM {schema}{table}")).scalars()
                )
                for column, table in zip(columns, TABLES, strict=True)
            ]
    finally:
        engine.dispose()


def count(url: str) -> int:
    """How many rows a database holds."""
    return sum(sum(found.values()) for found in held(url))
