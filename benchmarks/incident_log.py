"""The log that the pictures show: two hours of a gateway in which one backend fails, then another
one becomes slow. The same lines each time.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import LineOptions, Wso2Format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gatewaylog.events import Event

BEGIN = 1_779_697_800.0  # 2026-05-25T08:30:00Z
SECONDS = 7200
_DOWN = range(4500, 5220)  # seconds: twelve minutes in which the library does not answer
_SLOW = range(6300, SECONDS)  # seconds in which enrolments hang
_AGENTS = (
    "curl/8.5.0",
    "python-httpx/0.28.1",
    "okhttp/4.12.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
)


class _Api(NamedTuple):
    """Calls a second at an ordinary moment, the median of their milliseconds, whose they are."""

    name: str
    url: str
    backend: str
    rate: float
    took: float
    application: str


_APIS = (
    _Api("registrar--Courses:v2.1", "/courses/2.1/sections/{}", "courses:8443", 1.5, 38, "portal"),
    _Api("library--Holdings:v1.4", "/holdings/1.4/items/{}", "holdings:8443", 0.9, 65, "catalog"),
    _Api("edfi--Students:v3", "/edfi/v3/students/{}", "ods:443", 0.7, 24, "sis-sync"),
    _Api("lzelus--Echo:v1.0.0", "/echo/1.0.0/hello?n={}", "127.0.0.1:8081", 0.4, 2, "probe"),
    _Api("finance--Invoices:v2", "/invoices/2/open?page={}", "erp:8443", 0.25, 140, "billing"),
    _Api("hr--Enrolments:v1", "/enrolments/1/terms/{}", "hr:8443", 0.2, 90, "portal"),
)
_NOWHERE = ("/wp-login.php", "/.env", "/courses/1.0/sections", "/favicon.ico", "/actuator/health")
_Ended = tuple[float, "Event"]


class _Calls:
    """Makes the events of single calls."""

    def __init__(self) -> None:
        self._chance = random.Random(20)

    def at(self, second: int) -> Iterator[_Ended]:
        """Yield the events of the calls that begin within a second."""
        busy = 1 + 0.5 * math.sin(second / SECONDS * math.pi) + 0.15 * math.sin(second / 130)
        for api in _APIS:
            for _ in range(self._number(api.rate * busy)):
                yield from self._call(api, second)
        if self._chance.random() < 0.05:
            yield self._unmatched(BEGIN + second + self._chance.random())

    def _number(self, mean: float) -> int:
        return int(mean) + (self._chance.random() < mean % 1)

    def _identity(self) -> str:
        text = f"{self._chance.getrandbits(128):032x}"
        parts = (text[:8], text[8:12], text[12:16], text[16:20], text[20:])
        return f"urn:uuid:{'-'.join(parts)}"

    def _call(self, api: _Api, second: int) -> Iterator[_Ended]:
        begun = BEGIN + second + self._chance.random()
        url = api.url.format(self._chance.randrange(1, 4000))
        asked = IncomingRequest(
            self._identity(), api.name, url, "GET", self._chance.choice(_AGENTS),
            f"10.20.{self._chance.randrange(4)}.{self._chance.randrange(1, 255)}",
        )  # fmt: skip
        yield begun, asked
        if self._chance.random() < 0.0001:
            return  # its process was killed
        took = self._chance.lognormvariate(math.log(api.took), 0.5)
        if api.name.startswith("hr--") and second in _SLOW:
            took *= 12
        failure = self._failure(api, second)
        if failure is None:
            yield begun + took / 1000, self._complete(api, asked, took)
            return
        took = {"101504": 30_000.0, "101503": 1.4}.get(failure[2], 0.4)
        yield begun + took / 1000, self._error(api, asked, took, failure)

    def _failure(self, api: _Api, second: int) -> tuple[str, int, str, str] | None:
        chance = self._chance.random()
        if api.name.startswith("library--") and second in _DOWN and chance < 0.85:
            return "fault", 502, "101503", "Error connecting to the back end"
        if api.name.startswith("hr--") and second in _SLOW and chance < 0.3:
            return "fault", 504, "101504", "Send timeout"
        if chance < 0.012:
            return "_auth_failure_handler_", 401, "900901", "Invalid Credentials"
        if chance < 0.018:
            return "_auth_failure_handler_", 401, "900902", "Missing Credentials"
        if chance < 0.021:
            return "fault", 405, "405", "Method not allowed for given API resource"
        return None

    def _complete(self, api: _Api, asked: IncomingRequest, took: float) -> RequestComplete:
        chance = self._chance.random()
        status = 200 if chance > 0.02 else 500 if chance < 0.002 else 404
        size = self._chance.randrange(200, 9000)
        return RequestComplete(
            self._identity(), asked.api, asked.message_id, api.application, "admin", status,
            f"https://{api.backend}{asked.request_in_url}", "GET", asked.request_in_url, "GET",
            asked.user_agent, asked.remote_ip, outcome="complete", duration_ms=round(took, 3),
            backend_ms=round(took * 0.93, 3), bytes_in=0, bytes_out=size, attempts=1,
        )  # fmt: skip

    def _error(
        self, api: _Api, asked: IncomingRequest, took: float, failure: tuple[str, int, str, str]
    ) -> RequestError:
        source, status, code, message = failure
        out = f"https://{api.backend}{asked.request_in_url}" if code.startswith("1015") else None
        return RequestError(
            source, self._identity(), asked.api, status, code, message, asked.request_in_url, "GET",
            asked.user_agent, asked.remote_ip, response_to=asked.message_id, request_out_url=out,
            request_out_method=out and "GET", outcome="complete", duration_ms=took, bytes_in=0,
            bytes_out=146,
        )  # fmt: skip

    def _unmatched(self, moment: float) -> _Ended:
        return moment, RequestError(
            "main", self._identity(), None, 404, "404", "Not Found",
            self._chance.choice(_NOWHERE), "GET", self._chance.choice(_AGENTS),
            f"198.51.100.{self._chance.randrange(1, 255)}", outcome="complete", duration_ms=0.2,
            bytes_in=0, bytes_out=119,
        )  # fmt: skip


def events() -> list[_Ended]:
    """Return all events and their times, in the order of these."""
    calls = _Calls()
    found = [ended for second in range(SECONDS) for ended in calls.at(second)]
    return sorted((ended for ended in found if ended[0] < BEGIN + SECONDS), key=lambda one: one[0])


def write(path: Path) -> None:
    """Write the log."""
    form = Wso2Format(LineOptions())
    path.write_bytes(b"".join(form.encode(event, at, "20841-MainThread") for at, event in events()))
