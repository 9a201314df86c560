"""The dedicated log: the only place that joins event, format and sink."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypedDict

from gatewaylog.clock import SYSTEM_CLOCK, Clock
from gatewaylog.exits import at_exit
from gatewaylog.forks import renew_after_fork
from gatewaylog.formats import FORMATS, LineOptions
from gatewaylog.redaction import SECRET_PARAMETERS, Pseudonyms, Redactor
from gatewaylog.seal import Tamper
from gatewaylog.sinks.keeping import Keeping
from gatewaylog.writer import Writer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from gatewaylog.events import Event
    from gatewaylog.exchange import Exchange
    from gatewaylog.sinks import Sink

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 §5.6.2: a header's name
_SHORTEST_VALUE = 64  # the ids that link events are 45 characters, and must stay whole
ON_FULL = ("drop", "block", "refuse")
DURABILITIES = ("kernel", "disk")
_NO_WORD = re.compile("[^A-Za-z0-9_]")
# Header lines that carry credentials are never written, whatever `request_headers` names.
CREDENTIAL_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "apikey", "x-api-key"}
)
# Fields that can be written as pseudonyms, and the event's attributes that hold them.
PSEUDONYM_FIELDS = {
    "RemoteIP": "remote_ip",
    "END_USER_NAME": "end_user_name",
    "APPLICATION_NAME": "application_name",
    "UserAgent": "user_agent",
}


class LogOptions(TypedDict, total=False):
    """What else AccessLog takes, for those who pass it on."""

    format: str
    fields: str
    node: str
    logger: str
    max_value_length: int
    max_line: int
    redact_query: Iterable[str]
    request_headers: Iterable[str]
    response_header: str
    pseudonym_key: str
    pseudonyms: Iterable[str]
    max_size: int | str
    rotate: str
    backups: int
    keep: str
    compress: str
    on_full: str
    durability: str
    shippers: Iterable[str | os.PathLike[str]]
    max_unshipped: int | str
    tamper_evident: bool
    chain_key_file: str
    signing_key_file: str
    digest_every: str
    clock: Clock


class AccessLog:
    """A log that exchanges write their events to.

    `log` is a path, `"-"` for standard output, or a sink of your own. `format` is "wso2", "json"
    or "logfmt", `fields` "full" or "seed". `max_value_length` counts characters, `max_line` bytes.
    `request_headers` are written as fields `Header_…`, `response_header` answers each call with
    its MessageID. `pseudonyms` names fields that are written as HMAC-SHA-256 with
    `pseudonym_key`. A file is rotated at `max_size` (bytes, or text like "10MB") and by `rotate`
    ("hourly", "daily", "weekly", "monthly"); of those that were rotated the newest `backups` are
    kept (0: all), for a time like "90d" (`keep`, "": for ever), packed as "gz" or "zst"
    (`compress`). Where an INCOMING_REQUEST can't be written, its call goes on ("drop"), waits
    ("block") or is answered 503 ("refuse": `on_full`). With the `durability` "disk" it waits until
    that is on the disk. No file is deleted that one of the `shippers`, named by their state
    folders, has not passed, up to `max_unshipped` bytes. A `tamper_evident` log shows what was
    changed in it, by the keys in two files (`gatewaylog keys tamper`), and signs what it holds
    each `digest_every`.

    Raises ValueError for an option that can't be, LogError for a file that can't be opened.
    """

    def __init__(
        self,
        log: str | os.PathLike[str] | Sink = "api-access.log",
        *,
        format: str = "wso2",  # noqa: A002 - the option's name in the configuration file
        fields: str = "full",
        node: str = "AM",
        logger: str = "gatewaylog.AccessLogWriter",
        max_value_length: int = 4096,
        max_line: int = 9500,
        redact_query: Iterable[str] = SECRET_PARAMETERS,
        request_headers: Iterable[str] = (),
        response_header: str = "",
        pseudonym_key: str = "",
        pseudonyms: Iterable[str] = (),
        max_size: int | str = 0,
        rotate: str = "",
        backups: int = 0,
        keep: str = "",
        compress: str = "",
        on_full: str = "drop",
        durability: str = "kernel",
        shippers: Iterable[str | os.PathLike[str]] = (),
        max_unshipped: int | str = "10GiB",
        tamper_evident: bool = False,
        chain_key_file: str = "",
        signing_key_file: str = "",
        digest_every: str = "60s",
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        _one_of("format", format, FORMATS)
        _one_of("fields", fields, ("full", "seed"))
        _at_least("max_value_length", max_value_length, _SHORTEST_VALUE)
        _at_least("max_line", max_line, 16 * _SHORTEST_VALUE)
        tamper = Tamper(tamper_evident, chain_key_file, signing_key_file, digest_every, fields)
        options = LineOptions(
            fields=fields,
            node=node,
            logger=logger,
            max_value_length=max_value_length,
            max_line=max_line - tamper.room,
        )
        self.clock = clock
        self.redactor = Redactor(redact_query)
        self.pseudonyms = Pseudonyms(pseudonym_key)
        self.request_headers = _header_fields(request_headers)
        self.response_header = (
            _header("response_header", response_header) if response_header else b""
        )
        self._pseudonymous = _pseudonymous(pseudonyms, pseudonym_key)
        self._format = FORMATS[format](options)
        _one_of("on_full", on_full, ON_FULL)
        _one_of("durability", durability, DURABILITIES)
        self.on_full = on_full
        keeping = Keeping(
            max_size=max_size,
            rotate=rotate,
            backups=backups,
            keep=keep,
            compress=compress,
            durable=durability == "disk",
            shippers=shippers,
            max_unshipped=max_unshipped,
        )
        self._writer = Writer(keeping.sink(log), self._format, clock, tamper.mac)
        if not self._pseudonymous and type(self).write is AccessLog.write:
            # Nothing is to be done before it: 0.13 µs less (benchmarks/event_cost.py).
            self.write = self._writer.write  # type: ignore[method-assign]
        self._sealing = tamper.sealing(self.sink)
        self.disk = keeping.disk(self.sink)
        self.is_strict = on_full != "drop" or self.disk is not None
        self.closed = False
        self.on_pruned: Callable[[Sequence[str]], None] | None = None
        # Begun and not ended. Some servers end with calls that they never finish nor cancel.
        self.unfinished: set[Exchange] = set()
        renew_after_fork(self._forked)
        at_exit(self.leave)
        self._housekeeper = keeping.housekeeper(self, self.sink, self._sealing)

    def _forked(self) -> None:
        for exchange in self.unfinished:
            exchange.ended = True  # in this process: to end it is the parent's affair
        self.unfinished = set()

    def leave(self) -> None:
        """Leave the log whole, as the program may end next: with the ends of exchanges that nobody
        has ended, what was lost told, and a last digest. It goes on taking events.
        """
        for exchange in tuple(self.unfinished):
            exchange.end(exchange.broke or "shutdown")
        if not self.closed:
            self._writer.look()
        if self._sealing is not None:
            self._sealing.leave()

    @property
    def sink(self) -> Sink:
        """Where the lines go."""
        return self._writer.sink

    @sink.setter
    def sink(self, sink: Sink) -> None:
        self._writer.sink = sink

    @property
    def lost(self) -> int:
        """Events that this process could not write so far."""
        return self._writer.lost

    @property
    def is_refusing(self) -> bool:
        """Whether a call would be refused now, as far as is known."""
        if self.on_full != "refuse":
            return False
        return self._writer.is_losing or (self.disk is not None and self.disk.is_failing)

    @property
    def place(self) -> tuple[str, int]:
        """What this process is called as Writer, and its last Seq; 0 where it wrote nothing."""
        return self._writer.place

    def write(self, event: Event, *, final: bool = True) -> bool:
        """Write one event; say whether its line is in the kernel when this returns.

        If not, it is counted as lost; but for a try that is not the `final` one.
        """
        if self._pseudonymous:
            event = self._with_pseudonyms(event)
        return self._writer.write(event, final=final)

    def _with_pseudonyms(self, event: Event) -> Event:
        changed = {
            attribute: self.pseudonyms.of(value)
            for attribute in self._pseudonymous
            if (value := getattr(event, attribute, None)) is not None
        }
        return event._replace(**changed)  # type: ignore[arg-type]  # text fields alone are named

    def look(self) -> None:
        """Do what is due though no event comes: to be called each second by who has a clock."""
        self._writer.look()
        if self.disk is not None:
            self.disk.ask(bool)

    def pruned(self, names: Sequence[str]) -> None:
        """Take note of rotated files that were deleted; `on_pruned`, where it is set, hears of
        them in a thread of its own.
        """
        if self.on_pruned is not None:
            self.on_pruned(names)

    def reopen(self) -> None:
        """Open the log's file again by its name, as after a rotation from outside."""
        self._writer.reopen()

    def close(self) -> None:
        """Close the log; what was lost is told on standard error."""
        self.closed = True
        if self._housekeeper is not None:
            self._housekeeper.stop()
        if self.disk is not None:
            self.disk.stop()
        self._writer.close()
        if self._sealing is not None:
            self._sealing.close()


def _one_of(option: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{option}: {value!r} is not one of {', '.join(allowed)}")


def _at_least(option: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{option}: {value} is under {least}, which the log's own values need")


def _header_fields(names: Iterable[str]) -> dict[bytes, str]:
    """Return header name (lower case) -> the field it is written as."""
    fields = {}
    for name in names:
        if name.lower() in CREDENTIAL_HEADERS:
            raise ValueError(f"request_headers: {name!r} carries credentials and is never logged")
        fields[_header("request_headers", name)] = f"Header_{_NO_WORD.sub('_', name)}"
    return fields


def _header(option: str, name: str) -> bytes:
    """Return a header's name as ASGI has it."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{option}: {name!r} can't name a header")
    return name.lower().encode("ascii")


def _pseudonymous(fields: Iterable[str], key: str) -> tuple[str, ...]:
    chosen = tuple(fields)
    for field in chosen:
        _one_of("pseudonyms", field, PSEUDONYM_FIELDS)
    if chosen and not key:
        raise ValueError("pseudonyms: need pseudonym_key")
    return tuple(PSEUDONYM_FIELDS[field] for field in chosen)
