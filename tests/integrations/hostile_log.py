"""10,000 lines as gatewaylog writes them, whose values hold what breaks readers."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

from gatewaylog.events import Event, IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.formats import Line, LineOptions, Wso2Format, parse_line
from tests.formats.arbitrary import TEMPTING

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 10_000
START = 1495830205.118
TRAPS = (
    *(text for text in TEMPTING if not "\ud800" <= text[:1] <= "\udbff"),
    *(", ResponseTo=", ', Event="ERROR', "\\u0022", "\\\\u0022", "%22+%5Cu0022", "'", "`", "$1"),
    *("Event=ERROR", "\x1b[31m", "\x9b31m", "x" * 4095 + '"', "é" * 5000, '"' * 2000),
)
_APIS = ("lzelus--Echo:v1.0.0", "acme--Orders:vv2.0", "Plain", "acme--Käse:v1")


@functools.cache
def lines() -> tuple[bytes, ...]:
    """The lines, without line feeds, the same each time; one event in 500 is a LOG_LOSS."""
    chance = random.Random(7)
    form = Wso2Format(LineOptions())
    return tuple(
        form.encode(_event(number, chance), START + number / 8, "w-1", "0f" * 8, number + 1).rstrip(
            b"\n"
        )
        for number in range(COUNT)
    )


def write(path: Path) -> tuple[bytes, ...]:
    """Write the log, and return its lines."""
    made = lines()
    path.write_bytes(b"\n".join(made) + b"\n")
    return made


def read(raw: bytes) -> Line:
    """Return what a line tells by our own parser."""
    line = parse_line(raw, 1)
    assert isinstance(line, Line)
    return line


def written(raw: bytes) -> dict[str, str]:
    """Return the pairs of a line as they are written, taken apart by quotation marks alone.

    A value never holds one, so that every second piece between them is a value.
    """
    pieces = raw.decode().split('"')
    names = [piece.rpartition(" ")[2].removesuffix("=") for piece in pieces[:-1:2]]
    return dict(zip(names, pieces[1::2], strict=True))


def _text(chance: random.Random) -> str:
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(12)).decode("utf-8", "surrogateescape")
    return "".join(chance.choices(TRAPS, k=chance.randrange(1, 3)))


def _event(number: int, chance: random.Random) -> Event:
    own = f"urn:uuid:{number:08x}-0000-4000-8000-000000000000"
    if number % 500 == 499:
        return LogLoss(message_id=own, lost=3, first=1, last=3, reason="No space left on device")
    shared: dict[str, Any] = {
        "message_id": own,
        "request_in_url": f"/echo/{number % 7}?q={_text(chance)}",
        "request_in_method": "GET",
        "user_agent": _text(chance),
        "remote_ip": "192.0.2.7",
        "extra": (("Header_X_Tenant", _text(chance)),) if number % 5 == 0 else (),
    }
    api = _APIS[number % 4]
    if number % 3 == 0:
        return IncomingRequest(**shared, api=api, trace_id=f"{number:032x}")
    ended: dict[str, Any] = {
        "response_to": own[:-1] + "1",
        "duration_ms": number / 7,
        "bytes_in": 0,
    }
    if number % 3 == 1:
        return RequestComplete(
            **shared,
            **ended,
            api=api,
            status_code=200 + number % 4 * 100,
            request_out_url=f"https://backend.example:8443/{_text(chance)}",
            request_out_method="GET",
            end_user_name=chance.choice((None, _text(chance))),
            bytes_out=number,
        )
    lost = number % 2 == 0
    return RequestError(
        **shared,
        **(ended | ({"response_to": None} if lost else {})),
        api=None if lost else api,
        error_source="main" if lost else "fault",
        error_code="404" if lost else "101503",
        error_message="Not Found" if lost else "Error connecting to the back end",
        status_code=404 if lost else 502,
        bytes_out=7,
    )
