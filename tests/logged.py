"""A log file as tests read it: every line parsed, every pair linked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import Line, parse_line

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.events import CallEvent

TERMINAL = (RequestComplete, RequestError)


class Log:
    """The events of one log file, read anew each time they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def raw(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def events(self) -> list[CallEvent]:
        raw = self.raw()
        assert raw[-1:] in (b"", b"\n"), f"the last line is torn: {raw[-200:]!r}"
        return whole_events(raw)

    def incoming(self) -> list[IncomingRequest]:
        return [event for event in self.events() if isinstance(event, IncomingRequest)]

    def completes(self) -> list[RequestComplete]:
        return [event for event in self.events() if isinstance(event, RequestComplete)]

    def errors(self) -> list[RequestError]:
        return [event for event in self.events() if isinstance(event, RequestError)]

    def terminals(self) -> list[RequestComplete | RequestError]:
        return [event for event in self.events() if isinstance(event, TERMINAL)]

    def error(self) -> RequestError:
        """The only ERROR; there is nothing else but its INCOMING_REQUEST."""
        assert_linked(self.events())
        (found,) = self.terminals()
        assert isinstance(found, RequestError), found
        return found

    def complete(self) -> RequestComplete:
        """The only REQUEST_COMPLETE; there is nothing else but its INCOMING_REQUEST."""
        assert_linked(self.events())
        (found,) = self.terminals()
        assert isinstance(found, RequestComplete), found
        return found


def whole_events(raw: bytes) -> list[CallEvent]:
    """Every whole line's event; a part of a line at the very end is left out."""
    found = []
    for number, line in enumerate(raw.split(b"\n")[:-1], 1):
        parsed = parse_line(line, number)
        assert isinstance(parsed, Line), f"line {number} can't be read: {parsed}"
        found.append(parsed.call)
    return found


def assert_linked(events: list[CallEvent]) -> None:
    """Each INCOMING_REQUEST has exactly one terminal event, of its API; no terminal event links
    to anything else, and REQUEST_COMPLETE always links.
    """
    begun = {event.message_id: event for event in events if isinstance(event, IncomingRequest)}
    ends = [event for event in events if isinstance(event, TERMINAL)]
    ids = Counter(event.message_id for event in events)
    assert max(ids.values(), default=1) == 1, "a MessageID was used twice"
    linked = Counter(event.response_to for event in ends if event.response_to is not None)
    assert set(linked) == set(begun), "orphans on one side or the other"
    assert max(linked.values(), default=1) == 1, "two terminal events for one INCOMING_REQUEST"
    for event in ends:
        if event.response_to is not None:
            first = begun[event.response_to]
            assert (event.api, event.request_in_url) == (first.api, first.request_in_url)
        else:
            assert isinstance(event, RequestError)
            assert event.error_source == "main"
