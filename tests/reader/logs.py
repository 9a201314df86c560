"""Logs to read: lines of all formats, and files made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import FORMATS, LineOptions

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.events import Event
    from gatewaylog.reader import Entry

settings.register_profile("reader", deadline=None, max_examples=60)
settings.load_profile("reader")

_ENCODERS = {name: form(LineOptions()) for name, form in FORMATS.items()}
BEGIN = 1_700_000_000.0


def identity(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def incoming(number: int = 1, **values: str | None) -> IncomingRequest:
    made = IncomingRequest(
        message_id=identity(number), api="acme--Shop:v1", request_in_url=f"/shop/{number}"
    )
    return made._replace(**values)  # type: ignore[arg-type]


def complete(number: int = 1, **values: str | float | None) -> RequestComplete:
    made = RequestComplete(
        message_id=identity(10**6 + number),
        api="acme--Shop:v1",
        response_to=identity(number),
        status_code=200,
        duration_ms=5.0,
    )
    return made._replace(**values)  # type: ignore[arg-type]


def error(number: int | None = 1, **values: str | float | None) -> RequestError:
    made = RequestError(
        error_source="fault",
        message_id=identity(2 * 10**6 + (number or 0)),
        api="acme--Shop:v1",
        response_to=None if number is None else identity(number),
        status_code=504,
        duration_ms=5.0,
    )
    return made._replace(**values)  # type: ignore[arg-type]


def encoded(event: Event, seconds: float = 0.0, form: str = "wso2") -> bytes:
    """Return the line of an event that was written `seconds` after BEGIN."""
    return _ENCODERS[form].encode(event, BEGIN + seconds, "1-MainThread")


def lines(times: list[float], form: str = "wso2", first: int = 0) -> bytes:
    return b"".join(encoded(incoming(first + at), time, form) for at, time in enumerate(times))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def expected(content: bytes) -> list[tuple[int, int, bytes]]:
    """Offset, number and bytes of each line that is not empty, by the plainest way there is."""
    found, offset = [], 0
    for number, raw in enumerate(content.split(b"\n"), 1):
        if raw not in {b"", b"\r"}:
            found.append((offset, number, raw))
        offset += len(raw) + 1
    return found


def told(entry: Entry) -> tuple[str, int, int, bytes]:
    return entry.source.name, entry.offset, entry.number, entry.raw


# Pieces that lines are cut, joined and broken by.
pieces = st.sampled_from(
    [
        b"\n",
        b"\n",
        b"\r\n",
        b"\n\n",
        b"\0",
        b"",
        b"a",
        b"word",
        b'{"',
        b"\xff\xfe",
        b"\r",
        b"=" * 90,
    ]
) | st.sampled_from([encoded(incoming(3), form=form)[:-1] for form in FORMATS])
contents = st.lists(pieces, max_size=30).map(b"".join)
