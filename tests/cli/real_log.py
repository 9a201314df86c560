"""A log of real requests, as the gateway writes them: the public ones of the fixture."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gatewaylog.events import Event, IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import Line, LineOptions, Wso2Format
from tests.requirements import fixture_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC)
EVERY = timedelta(seconds=2)
APIS = {
    "blog": "jsissel--Blog:v1.0.0",
    "presentations": "jsissel--Presentations:v1.2.0",
    "images": "lzelus--EchoImages:v1.0.0",
    "projects": "jsissel--Projects:v2",
    "reset.css": "lzelus--Echo:v1.0.0",
    "style2.css": "lzelus--Echo:v1.0.0",
    "favicon.ico": "lzelus--Echo:v1.0.0",
}
ERRORS = {403: ("900908", "Resource forbidden"), 500: ("101500", "Error in Sender")}


def real_log(path: Path) -> Path:
    """Write the log of 5,000 requests; skips where they are not there."""
    form = Wso2Format(LineOptions())
    lines = fixture_file("real_requests.ndjson").read_text("utf-8").splitlines()
    with path.open("wb") as log:
        for number, line in enumerate(lines):
            for after, event in _events(number, json.loads(line)):
                time = START + number * EVERY + timedelta(milliseconds=after)
                log.write(form.write(Line(time=time, event=event)))
    return path


def _events(number: int, call: dict[str, str | int]) -> Iterator[tuple[int, Event]]:
    target, status = str(call["target"]), int(call["status"])
    begun = IncomingRequest(
        message_id=f"urn:uuid:{number:08x}-0000-4000-8000-000000000000",
        api=APIS.get(target.split("/")[1].split("?", maxsplit=1)[0]),
        request_in_url=target,
        request_in_method=str(call["method"]),
        user_agent=str(call["user_agent"]),
        remote_ip=str(call["client"]),
    )
    shared = begun._asdict() | {"message_id": f"urn:uuid:{number:08x}-0000-4000-8000-000000000001"}
    ended = {"response_to": begun.message_id, "duration_ms": float(number % 97), "bytes_out": 7}
    if begun.api is None:
        error = {"error_source": "main", "error_code": "404", "error_message": "Not Found"}
        yield 1, RequestError(**(shared | error | {"status_code": 404}))
        return
    yield 0, begun
    if status in ERRORS:
        code, message = ERRORS[status]
        error = {"error_source": "fault", "error_code": code, "error_message": message}
        yield 9, RequestError(**(shared | ended | error | {"status_code": status}))
    else:
        out = {"request_out_url": f"http://backend{target}", "status_code": status}
        yield 9, RequestComplete(**(shared | ended | out))
