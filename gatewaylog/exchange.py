"""One exchange's life: what is known of it, and that it ends exactly once.

Whoever serves a request tells the exchange facts (who called, which backend was tried, what went
wrong); only the exchange decides which event ends it, by the rules of `which_failure`.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, TypeAlias

from gatewaylog import errors
from gatewaylog.errors import Failure
from gatewaylog.events import RESERVED, Extra, IncomingRequest, RequestComplete, RequestError
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.accesslog import AccessLog

Outcome: TypeAlias = Literal[
    "complete", "client_abort", "upstream_abort", "timeout", "shutdown", "app_exception"
]
Verbosity: TypeAlias = Literal["off", "errors", "events"]
Rules: TypeAlias = "Callable[[Exchange], Failure | None]"

CLIENT_GONE = 499  # nginx's word in place of a status: the client went away before one
# What the ERROR is about where an exchange ends like this before an answer's head.
_UNANSWERED: dict[Outcome, Failure] = {
    "shutdown": errors.SHUTTING_DOWN,
    "timeout": errors.RESPONSE_TIMEOUT,
    "upstream_abort": errors.CONNECTION_CLOSED,
}
# Makes an event from all of its values: a NamedTuple's own __new__, which looks for defaults,
# takes twice as long (benchmarks/event_cost.py).
_event = tuple.__new__
# An application's own answers that may be ERRORs.
_REFUSALS = frozenset((401, 403, 404))
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
running: ContextVar[Exchange | None] = ContextVar("gatewaylog.exchange", default=None)


def current_exchange() -> Exchange:
    """Return the exchange that the running code serves.

    Raises LookupError outside of one, as when the middleware is not there.
    """
    exchange = running.get()
    if exchange is None:
        raise LookupError("no exchange here: is AccessLogMiddleware around the application?")
    return exchange


class Exchange:
    """One client request and everything that happens until its answer is over.

    `url` is path and query as the client sent them; it is redacted here. `started` is a time of
    the log's monotonic clock.
    """

    # What is not known yet. Defaults stand on the class: an exchange is made for each request,
    # and most of these are set late or never (benchmarks/middleware.py: 1 µs of 8).
    api: str | None = None
    application: str | None = None
    user: str | None = None
    message_id: str | None = None  # of the INCOMING_REQUEST
    failure: Failure | None = None
    broke: Outcome | None = None  # what ended it early, where something did
    status: int | None = None  # sent to the client
    backend_status: int | None = None  # of the last attempt
    attempts = 0
    received = False  # the request's body is whole
    bytes_in = 0
    bytes_out = 0
    ended = False
    is_written = True  # its INCOMING_REQUEST, where it has one
    held = False  # it must not go on before `gatewaylog.admission` lets it
    _unwritten: IncomingRequest | None = None
    _verbosity: Verbosity = "events"
    _token_ref: str | None = None
    _out_url: str | None = None
    _out_method: str | None = None
    _attempted_at = 0.0
    _answered_at: float | None = None
    _extra: Extra = ()

    def __init__(
        self,
        log: AccessLog,
        *,
        method: str | None,
        url: str,
        started: float,
        user_agent: str | None = None,
        remote_ip: str | None = None,
        request_id: str | None = None,
        trace_id: str | None = None,
        rules: Rules | None = None,
    ) -> None:
        self._log = log
        self.method = method
        self._url = log.redactor.url(url)
        self._started = started
        self._user_agent = user_agent
        self._remote_ip = remote_ip
        self._request_id = request_id
        self._trace_id = trace_id
        self._rules = rules or which_failure

    # What an application tells.

    def identify(self, *, application: str | None = None, user: str | None = None) -> None:
        """Tell who called: APPLICATION_NAME and END_USER_NAME. None leaves what is known."""
        self.application = self.application if application is None else str(application)
        self.user = self.user if user is None else str(user)

    def attempt(self, method: str, url: object) -> None:
        """Tell that a request is now sent to a backend: its method and whole URL (as text, or
        an object that is one as `str`, such as httpx.URL).
        """
        if not self.attempts:
            self._attempted_at = self._log.clock.monotonic()
        self.attempts += 1
        self._out_method = str(method)
        self._out_url = self._log.redactor.url(str(url))
        self.backend_status = None
        self._answered_at = None

    def answered(self, status: int) -> None:
        """Tell that the last attempt's response head is there, with its status."""
        self.backend_status = status
        self._answered_at = self._log.clock.monotonic()

    def fail(self, source: str, code: int | str, message: str, *, status: int = 500) -> None:
        """Tell that no backend's answer ends this exchange, but an ERROR of this source and code.

        `status` stands in the event where none reaches the client. Once the answer's head is
        sent it is too late: then the exchange is one that broke off (Outcome upstream_abort).
        """
        self.failed(
            Failure(source=str(source), code=str(code), status=status, message=str(message))
        )

    def failed(self, failure: Failure) -> None:
        """Tell the same with an entry of the error table."""
        if self.status is None:
            self.failure = failure
        else:
            self.broke = self.broke or "upstream_abort"

    def annotate(self, name: str, value: object) -> None:
        """Add a field of your own to the events that are still to come.

        Raises ValueError for a name that is no `[A-Za-z_][A-Za-z0-9_.-]*` or that the log uses.
        """
        if not _FIELD_NAME.fullmatch(name) or name in RESERVED:
            raise ValueError(
                f"{name!r} can't name a field: letters, digits, _ . - are allowed,"
                " and no name that the log itself uses"
            )
        others = tuple(pair for pair in self._extra if pair[0] != name)
        self._extra = (*others, (name, None if value is None else str(value)))

    # What the middleware and the gateway tell.

    def present(self, credential: bytes) -> None:
        """Tell which credential the client presented; only its TokenRef is kept."""
        self._token_ref = self._log.pseudonyms.of_credential(credential)

    def begin(self, api: str, verbosity: Verbosity = "events") -> None:
        """Tell which API was called, and write INCOMING_REQUEST before anything else happens.

        Raises RuntimeError the second time: an INCOMING_REQUEST would stay without its end.
        """
        if self.api is not None or self.ended:
            raise RuntimeError("the exchange has its API already, or has ended")
        self.api = api
        self._verbosity = verbosity
        if verbosity != "events":
            return
        self.message_id = self._log.clock.new_id()
        self._log.unfinished.add(self)
        event = _event(
            IncomingRequest,
            (
                self.message_id,
                api,
                self._url,
                self.method,
                self._user_agent,
                self._remote_ip,
                self._request_id,
                self._trace_id,
                self._extra,
            ),
        )
        log = self._log
        self.is_written = log.write(event, final=log.on_full != "block")
        if log.is_strict:
            self._hold(event)

    def _hold(self, event: IncomingRequest) -> None:
        """Have the call wait for `gatewaylog.admission`, where it can't just go on."""
        self.held = not self.is_written or self.log.disk is not None
        if not self.is_written and self.log.on_full == "block":
            self._unwritten = event

    def write_held(self, *, final: bool = True) -> bool:
        """Try again to write an INCOMING_REQUEST that had no room; say whether it is written now.

        Where that fails the `final` time it is lost.
        """
        event = self._unwritten
        if event is not None:
            self.is_written = self._log.write(event, final=final)
            if final or self.is_written:
                self._unwritten = None
        return self.is_written

    @property
    def log(self) -> AccessLog:
        """Where its events go."""
        return self._log

    def response_header(self) -> tuple[bytes, bytes] | None:
        """Return the header line that tells the client its MessageID, where that is wished."""
        name = self._log.response_header
        if not name or self.message_id is None:
            return None
        return name, self.message_id.encode("ascii")

    def end(self, outcome: Outcome = "complete") -> None:
        """End the exchange: write its terminal event, the first time this is called.

        An outcome that was told before (`broke`) goes before "complete".
        """
        if self.ended:
            return
        self.ended = True
        self._log.unfinished.discard(self)
        if self._unwritten is not None:
            self.write_held()
        if outcome == "complete" and self.broke is not None:
            outcome = self.broke
        if outcome == "complete" and self.failure is None and self._rules is which_failure:
            failure = which_failure(self)
        else:
            failure = self._why(outcome)
        if failure is not None and self._verbosity != "off":
            self._log.write(self._error(failure, outcome))
        elif failure is None and self._verbosity == "events":
            self._log.write(self._complete(outcome))

    def _why(self, outcome: Outcome) -> Failure | None:
        """Return what the ERROR is about, or None where the answer was a backend's."""
        if self.failure is not None:
            return self.failure
        if outcome == "complete":
            return self._judged()
        if outcome == "app_exception":
            return None if self._headed() else errors.INTERNAL_ERROR
        if self.status is not None or self.backend_status is not None:
            return None  # broken off after the answer's head
        if outcome == "client_abort":
            return errors.CLIENT_GONE_WAITING if self.received else errors.CLIENT_GONE_SENDING
        return _UNANSWERED[outcome]

    def _headed(self) -> bool:
        """Say whether the application had answered before it raised. A 500 without a backend is
        the answer to the exception itself.
        """
        if self.backend_status is not None:
            return self.status is not None
        return self.status not in {None, errors.INTERNAL_ERROR.status}

    def _judged(self) -> Failure | None:
        """Ask the rules; where a user's own fail, tell it and ask ours."""
        try:
            failure = self._rules(self)
        except Exception as error:  # noqa: BLE001 - a user's callable must never change the exchange
            told = f"the rules for the terminal event raised {type(error).__name__}: {error}"
            notice(told, code=SystemCode.INTERNAL, error=error)
            return which_failure(self)
        if failure is None or isinstance(failure, Failure):
            return failure
        told = f"the rules for the terminal event returned a {type(failure).__name__}, no Failure"
        notice(told, code=SystemCode.INTERNAL)
        return which_failure(self)

    def _complete(self, outcome: Outcome) -> RequestComplete:
        return _event(
            RequestComplete,
            (
                self._log.clock.new_id(),
                self.api,
                self.message_id,
                self.application,
                self.user,
                self.status if self.backend_status is None else self.backend_status,
                self._out_url,
                self._out_method,
                self._url,
                self.method,
                self._user_agent,
                self._remote_ip,
                outcome,
                (self._log.clock.monotonic() - self._started) * 1000,
                None
                if self._answered_at is None
                else (self._answered_at - self._attempted_at) * 1000,
                self.bytes_in,
                self.bytes_out,
                self.attempts or None,
                self._token_ref,
                self._request_id,
                self._trace_id,
                self._extra,
            ),
        )

    def _error(self, failure: Failure, outcome: Outcome) -> RequestError:
        return RequestError(
            failure.source,
            self._log.clock.new_id(),
            self.api,
            self.status or self._presumed(failure, outcome),
            failure.code,
            failure.message,
            self._url,
            self.method,
            self._user_agent,
            self._remote_ip,
            self.message_id,
            self.application,
            self.user,
            self._out_url,
            self._out_method,
            outcome,
            (self._log.clock.monotonic() - self._started) * 1000,
            self.bytes_in,
            self.bytes_out,
            self.attempts or None,
            self._token_ref,
            self._request_id,
            self._trace_id,
            self._extra,
        )

    @staticmethod
    def _presumed(failure: Failure, outcome: Outcome) -> int:
        """Return the status where the application sent none: a server answers its exception."""
        if outcome == "client_abort":
            return CLIENT_GONE
        unanswered = outcome == "app_exception"
        return errors.INTERNAL_ERROR.status if unanswered else failure.status


def which_failure(exchange: Exchange) -> Failure | None:
    """The rules for an answer that is whole and that nobody called a failure.

    A backend's answer is a REQUEST_COMPLETE whatever its status. An application's own 401 or 403
    is an ERROR of `_auth_failure_handler_`, its 404 outside of every API one of `main`; any other
    answer is a REQUEST_COMPLETE.
    """
    if exchange.backend_status is not None or exchange.status not in _REFUSALS:
        return None
    if exchange.status == errors.INVALID_CREDENTIALS.status:
        return errors.INVALID_CREDENTIALS
    if exchange.status == errors.SCOPE_MISSING.status:
        return errors.SCOPE_MISSING
    if exchange.status == errors.NOT_FOUND.status and exchange.api is None:
        return errors.NOT_FOUND
    return None
