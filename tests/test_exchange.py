"""One exchange's life: what it is told, and that exactly one event ends it."""

from __future__ import annotations

import itertools
import uuid
from typing import TYPE_CHECKING, get_args

import pytest

from gatewaylog import errors
from gatewaylog.accesslog import AccessLog
from gatewaylog.errors import Failure
from gatewaylog.events import RESERVED, Event, IncomingRequest, RequestComplete, RequestError
from gatewaylog.exchange import Exchange, Outcome, Rules, current_exchange, running
from gatewaylog.formats import Line, parse_line
from gatewaylog.sinks import MemorySink

if TYPE_CHECKING:
    from collections.abc import Callable

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class Ticking:
    """A clock on which each look takes a second."""

    def __init__(self) -> None:
        self._seconds = itertools.count()

    def wall(self) -> float:
        return 1495830205.118

    def monotonic(self) -> float:
        return float(next(self._seconds))

    def new_id(self) -> str:
        return uuid.uuid4().urn


class Told:
    """An exchange, and the events that it has written."""

    def __init__(self, rules: Rules | None = None, url: str = "/a?b=c") -> None:
        self.sink = MemorySink()
        self.log = AccessLog(self.sink, clock=Ticking())
        self.exchange = Exchange(
            self.log,
            method="GET",
            url=url,
            started=self.log.clock.monotonic(),
            user_agent="curl",
            remote_ip="192.0.2.1",
            request_id="r-1",
            trace_id="0" * 31 + "1",
            rules=rules,
        )

    @property
    def events(self) -> list[Event]:
        lines = [parse_line(raw.removesuffix(b"\n")) for raw in self.sink.lines]
        assert all(isinstance(line, Line) for line in lines)
        return [line.event for line in lines if isinstance(line, Line)]

    def complete(self) -> RequestComplete:
        event = self.events[-1]
        assert isinstance(event, RequestComplete)
        return event

    def error(self) -> RequestError:
        event = self.events[-1]
        assert isinstance(event, RequestError)
        return event


def test_an_answered_exchange_is_two_linked_events() -> None:
    told = Told()
    told.exchange.begin("acme--Shop:v1")
    told.exchange.status = 200
    told.exchange.end()
    incoming, complete = told.events
    assert isinstance(incoming, IncomingRequest)
    assert isinstance(complete, RequestComplete)
    assert complete.response_to == incoming.message_id
    assert complete.message_id not in {None, incoming.message_id}
    for event in (incoming, complete):
        assert event.api == "acme--Shop:v1"
        assert event.request_in_url == "/a?b=c"
        assert event.request_in_method == "GET"
        assert event.user_agent == "curl"
        assert event.remote_ip == "192.0.2.1"
        assert event.request_id == "r-1"
        assert event.trace_id == "0" * 31 + "1"
    assert complete.status_code == 200
    assert complete.outcome == "complete"
    assert complete.duration_ms == 1000.0
    assert complete.attempts is None
    assert complete.backend_ms is None


@pytest.mark.parametrize("first", OUTCOMES)
@pytest.mark.parametrize("status", [None, 200])
def test_it_ends_exactly_once_whatever_comes_later(first: Outcome, status: int | None) -> None:
    told = Told()
    told.exchange.begin("app")
    told.exchange.status = status
    told.exchange.end(first)
    for later in OUTCOMES:
        told.exchange.fail("main", 404, "Not Found")
        told.exchange.end(later)
    assert len(told.events) == 2
    assert told.events[1].outcome == first  # type: ignore[union-attr]  # the second is terminal


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_after_the_answers_head_every_end_is_a_request_complete(outcome: Outcome) -> None:
    told = Told()
    told.exchange.begin("app")
    told.exchange.status = 503
    told.exchange.end(outcome)
    assert told.complete().status_code == 503
    assert told.complete().outcome == outcome


@pytest.mark.parametrize(
    ("outcome", "received", "failure", "status"),
    [
        ("client_abort", False, errors.CLIENT_GONE_SENDING, 499),
        ("client_abort", True, errors.CLIENT_GONE_WAITING, 499),
        ("upstream_abort", True, errors.CONNECTION_CLOSED, 502),
        ("timeout", True, errors.RESPONSE_TIMEOUT, 504),
        ("shutdown", True, errors.SHUTTING_DOWN, 503),
        ("app_exception", True, errors.INTERNAL_ERROR, 500),
    ],
)
def test_before_the_answers_head_each_end_has_its_error(
    outcome: Outcome, received: bool, failure: Failure, status: int
) -> None:
    told = Told()
    told.exchange.begin("app")
    told.exchange.received = received
    told.exchange.end(outcome)
    event = told.error()
    assert (event.error_source, event.error_code) == (failure.source, failure.code)
    assert event.error_message == failure.message
    assert event.status_code == status
    assert event.outcome == outcome
    assert event.response_to == told.events[0].message_id


@pytest.mark.parametrize("outcome", ["client_abort", "shutdown", "timeout", "upstream_abort"])
def test_a_backends_answer_that_never_reached_the_client_is_complete(outcome: Outcome) -> None:
    told = Told()
    told.exchange.begin("app")
    told.exchange.attempt("GET", "http://backend/")
    told.exchange.answered(201)
    told.exchange.end(outcome)
    assert told.complete().status_code == 201
    assert told.complete().outcome == outcome


def test_an_exception_after_a_backends_answer_is_an_error() -> None:
    told = Told()
    told.exchange.attempt("GET", "http://backend/")
    told.exchange.answered(200)
    told.exchange.end("app_exception")
    assert (told.error().error_source, told.error().error_code) == ("fault", "500")
    assert told.error().request_out_url == "http://backend/"


def test_an_exception_behind_a_backends_own_500_leaves_it_a_backends_answer() -> None:
    told = Told()
    told.exchange.attempt("GET", "http://backend/")
    told.exchange.answered(500)
    told.exchange.status = 500
    told.exchange.end("app_exception")
    assert (told.complete().status_code, told.complete().outcome) == (500, "app_exception")


def test_what_broke_the_exchange_goes_before_complete() -> None:
    told = Told()
    told.exchange.status = 200
    told.exchange.broke = "client_abort"
    told.exchange.end("complete")
    assert told.complete().outcome == "client_abort"


@pytest.mark.parametrize(
    ("api", "status", "backend", "failure"),
    [
        ("app", 200, None, None),
        ("app", 401, None, errors.INVALID_CREDENTIALS),
        ("app", 403, None, errors.SCOPE_MISSING),
        (None, 401, None, errors.INVALID_CREDENTIALS),
        (None, 404, None, errors.NOT_FOUND),
        ("app", 404, None, None),
        (None, 200, None, None),
        ("app", 500, None, None),
        ("app", 502, None, None),
        ("app", 401, 401, None),
        ("app", 403, 200, None),
        (None, 404, 404, None),
    ],
)
def test_the_rules_of_a_plain_stack(
    api: str | None, status: int, backend: int | None, failure: Failure | None
) -> None:
    told = Told()
    if api is not None:
        told.exchange.begin(api)
    if backend is not None:
        told.exchange.attempt("GET", "http://backend/")
        told.exchange.answered(backend)
    told.exchange.status = status
    told.exchange.end()
    if failure is None:
        assert told.complete().status_code == (backend or status)
        return
    event = told.error()
    assert (event.error_source, event.error_code) == (failure.source, failure.code)
    assert event.error_message == failure.message
    assert event.status_code == status


def test_an_attempt_without_an_answer_leaves_the_applications_own() -> None:
    told = Told()
    told.exchange.begin("app")
    told.exchange.attempt("GET", "http://backend/")
    told.exchange.status = 401
    told.exchange.end()
    assert told.error().error_code == "900901"
    assert told.error().attempts == 1


def test_a_users_rules_replace_ours() -> None:
    teapot = Failure(source="kitchen", code="418", status=418, message="Teapot")
    told = Told(rules=lambda exchange: teapot if exchange.status == 418 else None)
    told.exchange.status = 418
    told.exchange.end()
    assert (told.error().error_source, told.error().error_code) == ("kitchen", "418")
    told = Told(rules=lambda _: None)
    told.exchange.status = 401
    told.exchange.end()
    assert told.complete().status_code == 401


def _raises(_: Exchange) -> Failure | None:
    raise ZeroDivisionError


def _returns_nonsense(_: Exchange) -> Failure | None:
    return "fault"  # type: ignore[return-value]  # what a user may do all the same


@pytest.mark.parametrize(
    ("rules", "said"), [(_raises, "ZeroDivisionError"), (_returns_nonsense, "returned a str")]
)
def test_rules_that_fail_are_told_of_and_ours_hold(
    rules: Rules, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(rules=rules)
    told.exchange.begin("app")
    told.exchange.status = 401
    told.exchange.end()
    assert told.error().error_code == "900901"
    assert said in capsys.readouterr().err


def test_rules_that_fail_change_nothing_where_nobody_can_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    told = Told(rules=_raises)
    told.exchange.status = 200
    told.exchange.end()
    assert told.complete().status_code == 200


def test_rules_are_not_asked_where_the_application_said_what_failed() -> None:
    told = Told(rules=_raises)
    told.exchange.begin("app")
    told.exchange.fail("fault", 101503, "Error connecting to the back end", status=502)
    told.exchange.status = 503
    told.exchange.end()
    event = told.error()
    assert (event.error_source, event.error_code) == ("fault", "101503")
    assert (event.status_code, event.outcome) == (503, "complete")


@pytest.mark.parametrize(
    ("outcome", "status"), [("timeout", 502), ("client_abort", 499), ("app_exception", 500)]
)
def test_a_failures_status_stands_where_none_was_sent(outcome: Outcome, status: int) -> None:
    told = Told()
    told.exchange.fail("fault", 1, "text", status=502)
    told.exchange.end(outcome)
    assert told.error().error_code == "1"
    assert told.error().status_code == status


def test_a_failure_after_the_answers_head_is_one_that_broke_off() -> None:
    told = Told()
    told.exchange.begin("app")
    told.exchange.status = 200
    told.exchange.fail("fault", 101505, "Connection closed by the back end")
    told.exchange.end()
    assert (told.complete().status_code, told.complete().outcome) == (200, "upstream_abort")


def test_the_first_thing_that_broke_it_stays() -> None:
    told = Told()
    told.exchange.status = 200
    told.exchange.broke = "client_abort"
    told.exchange.fail("fault", 101505, "Connection closed by the back end")
    told.exchange.end()
    assert told.complete().outcome == "client_abort"


def test_an_exchange_without_an_api_has_no_incoming_request() -> None:
    told = Told()
    told.exchange.status = 404
    told.exchange.end()
    (event,) = told.events
    assert isinstance(event, RequestError)
    assert (event.error_source, event.api, event.response_to) == ("main", None, None)
    assert b"ResponseTo" not in told.sink.lines[0]
    assert b"API=" not in told.sink.lines[0]


def test_an_api_can_be_told_once() -> None:
    told = Told()
    told.exchange.begin("app")
    with pytest.raises(RuntimeError, match="has its API already"):
        told.exchange.begin("other")
    late = Told()
    late.exchange.end()
    with pytest.raises(RuntimeError, match="has ended"):
        late.exchange.begin("app")
    assert (len(told.events), len(late.events)) == (1, 1)


def test_who_called_is_told_in_parts_and_of_any_type() -> None:
    class Lazy:
        def __str__(self) -> str:
            return 'li"sa\n'

    told = Told()
    told.exchange.identify(application="Shop")
    told.exchange.identify(user=Lazy())  # type: ignore[arg-type]  # as frameworks have them
    told.exchange.identify()
    told.exchange.status = 200
    told.exchange.end()
    assert (told.complete().application_name, told.complete().end_user_name) == ("Shop", 'li"sa\n')
    assert told.sink.lines[0].count(b"\n") == 1


def test_an_attempt_is_written_without_secrets_and_as_text() -> None:
    class Url:
        def __str__(self) -> str:
            return "https://u:p@backend:8443/x?token=s&y=1"

    told = Told(url="/x?token=s")
    told.exchange.attempt("POST", Url())
    told.exchange.answered(200)
    told.exchange.status = 200
    told.exchange.end()
    event = told.complete()
    assert event.request_out_url == "https://backend:8443/x?token=REDACTED&y=1"
    assert event.request_out_method == "POST"
    assert event.request_in_url == "/x?token=REDACTED"


def test_the_last_attempt_is_written_and_all_are_counted_from_the_first_start() -> None:
    told = Told()
    told.exchange.attempt("GET", "http://one/")  # at 1 s
    told.exchange.answered(503)  # 2 s
    told.exchange.attempt("GET", "http://two/")
    told.exchange.answered(200)  # 3 s
    told.exchange.status = 200
    told.exchange.end()  # 4 s
    event = told.complete()
    assert (event.attempts, event.request_out_url, event.status_code) == (2, "http://two/", 200)
    assert event.backend_ms == 2000.0
    assert event.duration_ms == 4000.0


def test_a_last_attempt_without_an_answer_has_no_backend_time() -> None:
    told = Told()
    told.exchange.attempt("GET", "http://one/")
    told.exchange.answered(503)
    told.exchange.attempt("GET", "http://two/")
    told.exchange.status = 502
    told.exchange.end()
    assert told.complete().backend_ms is None
    assert told.complete().status_code == 502


def test_fields_of_a_users_own_follow_from_when_they_are_told() -> None:
    told = Told()
    told.exchange.annotate("tenant", 7)
    told.exchange.begin("app")
    told.exchange.annotate("tenant", "eight")
    told.exchange.annotate("zone", None)
    told.exchange.status = 200
    told.exchange.end()
    assert told.events[0].extra == (("tenant", "7"),)
    assert told.events[1].extra == (("tenant", "eight"), ("zone", None))


@pytest.mark.parametrize("name", [*sorted(RESERVED), "", "1a", "a b", 'a"', "a=", "é", "a\n", "-a"])
def test_no_field_of_a_users_own_can_forge_one_of_the_logs(name: str) -> None:
    with pytest.raises(ValueError, match="can't name a field"):
        Told().exchange.annotate(name, "x")


@pytest.mark.parametrize("verbosity", ["off", "errors", "events"])
def test_an_apis_verbosity_says_which_events_are_written(verbosity: str) -> None:
    counts = []
    for status in (200, 401):
        told = Told()
        told.exchange.begin("app", verbosity)  # type: ignore[arg-type]  # parametrised
        told.exchange.status = status
        told.exchange.end()
        counts.append(len(told.events))
        if verbosity == "errors" and status == 401:
            assert told.error().response_to is None
    assert counts == {"off": [0, 0], "errors": [0, 1], "events": [2, 2]}[verbosity]


def test_a_presented_credential_is_kept_as_its_reference_alone() -> None:
    told = Told()
    told.exchange.begin("app")
    told.exchange.present(b"opaque")
    told.exchange.status = 200
    told.exchange.end()
    assert told.complete().token_ref == told.log.pseudonyms.of_credential(b"opaque")
    assert b"opaque" not in b"".join(told.sink.lines)


def test_missing_values_never_drop_an_event() -> None:
    sink = MemorySink()
    exchange = Exchange(AccessLog(sink), method="", url="", started=0.0)
    exchange.begin("")
    exchange.end()
    assert len(sink.lines) == 2


def test_current_exchange_is_the_one_that_is_served() -> None:
    with pytest.raises(LookupError, match="AccessLogMiddleware"):
        current_exchange()
    told = Told()
    token = running.set(told.exchange)
    try:
        assert current_exchange() is told.exchange
    finally:
        running.reset(token)


def test_the_clients_message_id_is_given_where_it_is_wished() -> None:
    told = Told()
    assert told.exchange.response_header() is None
    told.log.response_header = b"activityid"
    assert told.exchange.response_header() is None
    told.exchange.begin("app")
    message_id = told.events[0].message_id
    assert message_id is not None
    assert told.exchange.response_header() == (b"activityid", message_id.encode())


def _callables() -> list[Callable[[Exchange], None]]:
    return [
        lambda exchange: exchange.identify(application="\ud800", user='"\n'),
        lambda exchange: exchange.attempt("G\nT", "\udcff?token=\n"),
        lambda exchange: exchange.fail('"', "\n", "\x85"),
        lambda exchange: exchange.annotate("x", '", Event="ERROR'),
    ]


@pytest.mark.parametrize("tell", _callables())
def test_nothing_an_application_tells_can_forge_a_line(tell: Callable[[Exchange], None]) -> None:
    told = Told()
    tell(told.exchange)
    told.exchange.status = 200
    told.exchange.end()
    (raw,) = told.sink.lines
    assert raw.count(b"\n") == 1
    assert raw.count(b'Event="') == 1
    assert len(told.events) == 1
