"""The log that searches are measured on: requests of a real site as a gateway would write them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import LineOptions, Wso2Format

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.events import Event

REAL = Path(__file__).parents[2] / "shared" / "fixtures" / "real_requests.ndjson"
_BEGIN = 1_767_225_600.0
_SECONDS = 7200
_ERRORS = (
    ("unmatched", 404, "404", "No API matched"),
    ("auth", 401, "900902", "Missing Credentials"),
    ("throttle", 429, "900800", "Message throttled out"),
    ("backend", 504, "101504", "Send timeout"),
)


class Call(NamedTuple):
    """What is asked of the gateway."""

    api: str
    method: str
    target: str
    agent: str
    client: str


def _real_calls() -> list[Call]:
    found = []
    for at, text in enumerate(REAL.read_text().splitlines()):
        request = json.loads(text)
        room = request["target"].split("?")[0].strip("/").split("/")[0] or "home"
        # One call in eight is the seed's own example; the other APIs are the site's folders.
        api = "lzelus--Echo:v1.0.0" if at % 8 == 0 else f"site--{room[:24]}:v1"
        agent = request["user_agent"] or ""
        found.append(Call(api, request["method"], request["target"], agent, request["client"]))
    return found


def _made_calls(chance: random.Random) -> list[Call]:
    apis = ["lzelus--Echo:v1.0.0", *(f"team{at}--Orders{at}:v2" for at in range(7))]
    agents = ["curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0"]
    return [
        Call(
            chance.choice(apis),
            chance.choice(["GET", "GET", "POST"]),
            f"/{chance.choice(['orders', 'news', 'files'])}/{chance.randrange(9999)}?page={at}",
            chance.choice(agents),
            f"10.0.{chance.randrange(256)}.{chance.randrange(256)}",
        )
        for at in range(5000)
    ]


def events(count: int, seed: int = 4) -> Iterator[tuple[float, Event]]:
    """Yield `count` events and their times: two an exchange, one where no API matched."""
    chance = random.Random(seed)
    calls = _real_calls() if REAL.exists() else _made_calls(chance)
    for at in range(count):
        if at % 2 == 0:
            call, identity = calls[(at // 2) % len(calls)], f"urn:uuid:{chance.getrandbits(128):x}"
            begun = _BEGIN + _SECONDS * at / count
            error = chance.choice(_ERRORS) if chance.random() < 0.08 else None
            yield (
                begun,
                IncomingRequest(
                    identity, call.api, call.target, call.method, call.agent, call.client
                ),
            )
            continue
        took = round(chance.lognormvariate(3, 1), 3)
        ended = _failed(call, identity, took, error) if error else _answered(call, identity, took)
        yield begun + _SECONDS / count, ended


def _answered(call: Call, identity: str, took: float) -> RequestComplete:
    return RequestComplete(
        identity.replace("urn:uuid:", "urn:uuid:b"), call.api, identity, "Portal", "admin",
        200, f"http://backend.internal:8080{call.target}", call.method, call.target, call.method,
        call.agent, call.client, outcome="complete", duration_ms=took, backend_ms=took,
        bytes_in=0, bytes_out=int(took * 700),
    )  # fmt: skip


def _failed(
    call: Call, identity: str, took: float, error: tuple[str, int, str, str]
) -> RequestError:
    source, status, code, message = error
    return RequestError(
        source, identity.replace("urn:uuid:", "urn:uuid:e"),
        None if source == "unmatched" else call.api, status, code, message, call.target,
        call.method, call.agent, call.client, response_to=identity, outcome="complete",
        duration_ms=took, bytes_in=0, bytes_out=243,
    )  # fmt: skip


def write(path: Path, count: int) -> None:
    """Write the log, the same for the same count."""
    form = Wso2Format(LineOptions())
    with path.open("wb") as log:
        for moment, event in events(count):
            log.write(form.encode(event, moment, "PassThroughMessageProcessor-130"))
