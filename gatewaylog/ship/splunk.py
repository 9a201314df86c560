"""Lines to Splunk's HTTP Event Collector (`POST /services/collector/event`).

Where the token has indexer acknowledgement on, an answer holds an ackId, and yes is what
`/services/collector/ack` says of it; each id is told true only once. Splunk knows no event again:
MessageID and Event together tell doubles in a search.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.destination import Limits, Refused, TryAgain
from gatewaylog.ship.web import Web, judge, unlike

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gatewaylog.ship.records import Record
    from gatewaylog.ship.settings import Settings
    from gatewaylog.ship.web import Answer

EVENT = "/services/collector/event"
ACK = "/services/collector/ack"
_NUMBER = "invalid-event-number"
_SUCCESS = 0
_OF_ONE_EVENT = {6, 12, 13, 15}  # invalid format, no event field, blank event, indexed fields
_STOPS = {1, 2, 3, 4, 7, 10, 11, 14}  # the token, its index, its channel: for every event alike
_BUSY = {8, 9, 18, 19, 20, 23, 26, 27}


def made(settings: Settings) -> Splunk:
    """Return the destination. Raises ShipError."""
    if not settings.token:
        raise ShipError("splunk: the collector's token is missing: GATEWAYLOG_SHIP_TOKEN")
    return Splunk(settings)


class Splunk:
    """An HTTP Event Collector."""

    limits = Limits(size=512 * 1024, events=2000)  # requests stay under its 1 MB

    def __init__(self, settings: Settings, *, ask_every: float = 0.25) -> None:
        self._channel = str(uuid.uuid4())
        self._timeout = settings.timeout
        self._ask_every = ask_every
        self._fixed = {"host": settings.host or socket.gethostname()}
        self._fixed["sourcetype"] = "gatewaylog:access"
        if settings.index:
            self._fixed["index"] = settings.index
        self._web = Web(
            settings,
            EVENT,
            {
                "Authorization": f"Splunk {settings.token}",
                "X-Splunk-Request-Channel": self._channel,
                "Content-Type": "application/json",
            },
        )

    def prepare(self, records: Sequence[Record]) -> bytes:
        """Return an object for each line, one after the other."""
        text = "".join(
            json.dumps(
                {
                    "time": record.nanoseconds // 1000 / 10**6,
                    **self._fixed,
                    "source": record.file,
                    "event": record.text,
                    "fields": {"event": record.event},
                }
            )
            for record in records
        )
        return gzip.compress(text.encode(), compresslevel=1, mtime=0)

    def send(self, prepared: bytes) -> Sequence[tuple[int, str]]:
        """Post, and wait until it is indexed where that is told."""
        answer = self._web.post(prepared, headers={"Content-Encoding": "gzip"})
        said = _said(answer)
        if not answer.is_good or said.get("code") != _SUCCESS:
            _judge(answer, said)
            raise unlike(answer, "a collector answers JSON with code 0", "a collector's")
        if (number := said.get("ackId")) is not None:
            self._wait_for(number)
        return ()

    def _wait_for(self, number: int) -> None:
        """Ask until the events are indexed; after the time-out they are sent again."""
        end = time.monotonic() + self._timeout
        asked = json.dumps({"acks": [number]}).encode()
        while time.monotonic() < end:
            answer = self._web.post(asked, path=ACK)
            said = _said(answer)
            acks = said.get("acks")
            if not answer.is_good or not isinstance(acks, dict):
                _judge(answer, said)
                raise unlike(answer, "a collector answers JSON with acks", "a collector's")
            if acks.get(str(number)) is True:
                return
            time.sleep(self._ask_every)
        raise TryAgain(f"not indexed within {self._timeout:g} s")

    def finish(self) -> None:
        """Do nothing: each batch was acknowledged."""

    def close(self) -> None:
        """Close the connections."""
        self._web.close()


def _said(answer: Answer) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(answer.body)
        if isinstance(found, dict):
            return found
    return {}


def _judge(answer: Answer, said: dict[str, Any]) -> None:
    """Tell by the collector's own code, whatever the status; by the status where it has none."""
    code, number = said.get("code"), said.get(_NUMBER)
    at = number if isinstance(number, int) and number >= 0 else None
    if code in _BUSY:
        raise TryAgain(answer.told, after=answer.after, taken=at or 0)
    if code in _STOPS:
        raise ShipError(f"splunk answers {answer.told}")
    if code in _OF_ONE_EVENT:
        if at is None:
            raise Refused(answer.told)
        raise Refused(answer.told, blamed=[at], after=at)
    judge(answer)
