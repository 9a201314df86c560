"""Tests of your own application's log: capture its events and say what they should be.

    from gatewaylog.middleware import AccessLogMiddleware
    from gatewaylog.testing import capture_events

    def test_an_order_is_logged() -> None:
        with capture_events() as log:
            client = TestClient(AccessLogMiddleware(app, log=log, api="acme--Shop:v1"))
            client.post("/orders")
        log.assert_complete(status=201, end_user_name="ann")
        log.assert_all_paired()

Events are read back from the lines that were written, so a test sees what a file would hold.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gatewaylog.events import LAYOUT_OF, Event, IncomingRequest, RequestComplete, RequestError
from gatewaylog.formats import Unparsed, parse_line
from gatewaylog.sinks import MemorySink

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.accesslog import AccessLog

_Kind = TypeVar("_Kind", IncomingRequest, RequestComplete, RequestError)
_ABSENT = object()
# Short names of the fields that tests ask for most.
_SHORT = {
    "status": "status_code",
    "source": "error_source",
    "code": "error_code",
    "message": "error_message",
    "application": "application_name",
    "user": "end_user_name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedExchange:
    """The events of one call: an INCOMING_REQUEST and the terminal events linked to it.

    `incoming` is None for an ERROR whose API was not identified. In order there is exactly one
    terminal event: `assert_all_paired` says so.
    """

    incoming: IncomingRequest | None
    terminals: tuple[RequestComplete | RequestError, ...]

    @property
    def terminal(self) -> RequestComplete | RequestError:
        """The only terminal event. Raises AssertionError where there is none, or another."""
        if len(self.terminals) != 1:
            raise AssertionError(_fault(self) or "")
        return self.terminals[0]


class CapturedLog(MemorySink):
    """A sink that answers what it has taken. It can also be made of the `lines` of a file.

    Fields are asked for by the names of the events' attributes (`request_in_url`), by a short one
    (status, source, code, message, application, user), or by the name that `annotate` was given.
    """

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        super().__init__()
        self.lines.extend(lines)

    @property
    def events(self) -> list[Event]:
        """All events in the order of the log. Raises AssertionError for a line without one."""
        return [_event(line, number) for number, line in enumerate(self.lines, 1)]

    @property
    def incoming(self) -> list[IncomingRequest]:
        """The INCOMING_REQUEST events."""
        return [event for event in self.events if isinstance(event, IncomingRequest)]

    @property
    def completed(self) -> list[RequestComplete]:
        """The REQUEST_COMPLETE events."""
        return [event for event in self.events if isinstance(event, RequestComplete)]

    @property
    def errors(self) -> list[RequestError]:
        """The ERROR events."""
        return [event for event in self.events if isinstance(event, RequestError)]

    @property
    def exchanges(self) -> list[CapturedExchange]:
        """The calls in the order in which they came; those without INCOMING_REQUEST at the end.

        With `fields="seed"` an ERROR does not say which call it ends.
        """
        ends: dict[str | None, list[RequestComplete | RequestError]] = {}
        alone: list[RequestComplete | RequestError] = []
        incoming = self.incoming
        known = {event.message_id for event in incoming}
        for event in self.events:
            if not isinstance(event, (RequestComplete, RequestError)):
                continue
            if event.response_to in known:
                ends.setdefault(event.response_to, []).append(event)
            else:
                alone.append(event)
        calls = [
            CapturedExchange(incoming=event, terminals=tuple(ends.get(event.message_id, ())))
            for event in incoming
        ]
        return calls + [CapturedExchange(incoming=None, terminals=(event,)) for event in alone]

    def clear(self) -> None:
        """Forget what was taken so far."""
        self.lines.clear()

    def assert_incoming(self, **fields: object) -> IncomingRequest:
        """Return the first INCOMING_REQUEST with these fields. Raises AssertionError for none."""
        return self._find(self.incoming, IncomingRequest, fields)

    def assert_complete(self, **fields: object) -> RequestComplete:
        """Return the first REQUEST_COMPLETE with these fields. Raises AssertionError for none."""
        return self._find(self.completed, RequestComplete, fields)

    def assert_error(self, **fields: object) -> RequestError:
        """Return the first ERROR with these fields. Raises AssertionError for none.

        `code` is text in the log; a number finds it too.
        """
        if isinstance(fields.get("code"), int):
            fields["code"] = str(fields["code"])
        return self._find(self.errors, RequestError, fields)

    def assert_all_paired(self) -> None:
        """Raise AssertionError unless each call has exactly one terminal event."""
        faults = [fault for call in self.exchanges if (fault := _fault(call))]
        if faults:
            raise AssertionError("\n".join(faults) + self._what_there_is())

    def assert_nothing_logged(self) -> None:
        """Raise AssertionError where any event was written."""
        if self.lines:
            raise AssertionError(f"{len(self.lines)} events were logged" + self._what_there_is())

    def _find(self, events: list[_Kind], kind: type[_Kind], fields: dict[str, object]) -> _Kind:
        for event in events:
            if not _differences(event, fields):
                return event
        wanted = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        text = f"no {LAYOUT_OF[kind].name}{' with ' if wanted else ''}{wanted}"
        if events:
            nearest = min(events, key=lambda event: len(_differences(event, fields)))
            text += "; the nearest one has " + ", ".join(_differences(nearest, fields))
        raise AssertionError(text + self._what_there_is())

    def _what_there_is(self) -> str:
        shown = [f"  {line.decode('utf-8', 'replace').rstrip()}" for line in self.lines]
        return "\nThe log:\n" + ("\n".join(shown) or "  (empty)")


@contextmanager
def capture_events(log: AccessLog | None = None) -> Iterator[CapturedLog]:
    """Capture events, to be used in a test or in a fixture of yours.

    What it gives is a sink: `AccessLogMiddleware(app, log=...)`. With `log`, the AccessLog that
    your application has made already, its events are captured inside of the `with` and go where
    they went before afterwards.
    """
    captured = CapturedLog()
    if log is None:
        yield captured
    else:
        before, log.sink = log.sink, captured
        try:
            yield captured
        finally:
            log.sink = before


def _event(line: bytes, number: int) -> Event:
    parsed = parse_line(line.removesuffix(b"\n"), number)
    if not isinstance(parsed, Unparsed):
        return parsed.event
    raise AssertionError(f"line {number} holds no event ({parsed.reason}): {line!r}")


def _fault(call: CapturedExchange) -> str | None:
    """Say what is wrong with a call's events, None where nothing is."""
    if call.incoming is None:
        (end,) = call.terminals
        if end.response_to is None and isinstance(end, RequestError):
            return None
        return f"{end.message_id} ends {end.response_to}, which is not in the log"
    if len(call.terminals) == 1:
        return None
    what = f"{call.incoming.request_in_method} {call.incoming.request_in_url}"
    return f"{what} ({call.incoming.message_id}) has {len(call.terminals)} terminal events"


def _differences(event: Event, fields: dict[str, object]) -> list[str]:
    found = [(name, _value(event, name), value) for name, value in fields.items()]
    return [
        f"no field {name}" if has is _ABSENT else f"{name}={has!r}"
        for name, has, value in found
        if has is _ABSENT or has != value
    ]


def _value(event: Event, name: str) -> object:
    name = _SHORT.get(name, name)
    if name in event._fields and name != "extra":
        return getattr(event, name)
    return dict(event.extra).get(name, _ABSENT)
