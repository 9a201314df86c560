"""What `gatewaylog tokens watch` does: the rules over a log as it grows."""

from __future__ import annotations

import heapq
import json
import signal
import threading
import time
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewaylog.cli import logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    from gatewaylog.audit.events import EventLog
    from gatewaylog.audit.rules import Finding, TokenEvent, TokenUse, Watch
    from gatewaylog.audit.rules.rule import Rule
    from gatewaylog.audit.rules.told import Told
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Entry

    Row = TokenUse | TokenEvent

_LOOK = 0.5  # seconds between two looks at the files
_KEEP = 10.0  # seconds after which it is kept up to when was looked
_OWN = ("webhook", "geoip", "state")  # of `[rules]`, what is no rule's
_LATE = 60.0  # seconds that a line may be behind its time


def configure(parser: Parser) -> None:
    """Add the arguments besides FILE and --config."""
    parser.add_argument("--once", action="store_true", help="tell all of the log, and end")
    parser.add_argument(
        "--severity", choices=("low", "medium", "high"), default="low", help="tell from it on"
    )
    parser.add_argument("--record", action="store_true", help="record findings in the event log")
    parser.add_argument("--webhook", metavar="URL", default="", help="post findings there, as JSON")
    parser.add_argument(
        "--geoip", metavar="MMDB", default="", help="where addresses are, for R03: a GeoLite2-City"
    )
    parser.add_argument(
        "--state",
        metavar="FILE",
        default="",
        help="what was told, so that a restart tells it no second time (beside the log;"
        " with --once none)",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object a line")


def run(options: Namespace) -> int:
    """Tell findings: with --once of all that is there, else those from now on, until SIGTERM."""
    from gatewaylog.audit.rules import Severity, Watch

    configured = logs.configured(options)
    own = {name: _own(options, configured.rules.get(name, ""), name) for name in _OWN}
    least = Severity[options.severity.upper()]
    begin = time.time()
    with ExitStack() as stack:
        watch = Watch(rules_of(options, configured, stack))
        told = _told(options, own["state"], stack)
        teller = _Teller(options, configured, own["webhook"], told, stack)
        since = begin if told is None or not told.is_any else 0.0

        def tell(findings: Iterable[Finding], until: float | None = None) -> None:
            for finding in findings:
                if finding.severity >= least and (options.once or finding.at >= since):
                    teller.tell(finding)
            teller.save(until)

        if options.once:
            tell(watch.of(_held(options, configured.events)), begin)
        else:
            _follow(options, configured.events, watch, tell)
    return 0


def _own(options: Namespace, value: object, name: str) -> str:
    """Return an option, else what `[rules]` says."""
    if given := getattr(options, name, ""):
        return str(given)
    file = options.config or logs.CONFIGURATION
    return logs.expanded(value, file, f"rules.{name}") if value else ""


def rules_of(options: Namespace, configured: logs.Configured, stack: ExitStack) -> list[Rule[Any]]:
    """Return the rules as `[rules]` has them; what they open is closed by the stack.

    Raises WrongCall.
    """
    from gatewaylog.audit.rules import rules
    from gatewaylog.audit.rules.places import Places

    given = {name: value for name, value in configured.rules.items() if name not in _OWN}
    geoip = _own(options, configured.rules.get("geoip", ""), "geoip")
    try:
        places = stack.enter_context(closing(Places(geoip))) if geoip else None
    except ValueError as error:
        raise WrongCall(f"tokens watch: --geoip {error}") from None
    try:
        return rules(**given, locate=places)
    except (ValueError, TypeError, KeyError) as error:
        raise WrongCall(f"tokens: [rules]: {error}") from None


def _told(options: Namespace, state: str, stack: ExitStack) -> Told | None:
    """Return what remembers; the usual place is beside the log. Raises WrongCall."""
    from gatewaylog.audit.rules.told import Told

    path = Path(state)
    if not state:
        first = logs.named(options, "tokens watch").paths[0]
        if options.once or first == "-":
            return None
        path = Path(first) if Path(first).is_dir() else Path(first).parent
        path /= f".{Path(first).name}.watched"
    try:
        return stack.enter_context(Told(path))
    except BlockingIOError:
        raise WrongCall(f"tokens watch: {path}: another process watches with it") from None
    except ValueError as error:
        raise WrongCall(f"tokens watch: {path}: {error}") from None
    except OSError as error:
        if state:
            raise WrongCall(f"tokens watch: --state {path}: {error.strerror}") from None
        notice(f"{path}: {error.strerror}: what was told is forgotten at the end (see --state)")
        return None


class _Teller:
    """Tells findings to all who are to hear of them, each once."""

    def __init__(
        self,
        options: Namespace,
        configured: logs.Configured,
        webhook: str,
        told: Told | None,
        stack: ExitStack,
    ) -> None:
        from gatewaylog.audit.rules.reporting import Report, ToEventLog
        from gatewaylog.audit.rules.webhook import Webhook

        self._as_json = options.json
        self._told = told
        self._webhook: Webhook | None = None
        self._failed = False
        self._reports: list[Report] = []
        stack.callback(self.save, None)  # the last: what the webhook has not taken by its end
        if options.record:
            self._reports.append(ToEventLog(_event_log(configured, stack)))
        if webhook:
            try:
                self._webhook = Webhook(webhook, told.waiting if told else ())
            except ValueError as error:
                raise WrongCall(f"tokens watch: --webhook {error}") from None
            self._reports.append(self._webhook)
            stack.callback(self._webhook.close)

    def tell(self, finding: Finding) -> None:
        """Tell a finding that was not told yet."""
        from gatewaylog.audit.rules.reporting import shown

        if self._told is not None and not self._told.is_new(finding):
            return
        print(json.dumps(shown(finding)) if self._as_json else _line(finding), flush=True)
        for report in self._reports:
            report.tell(finding)
        if self._told is not None:
            self._told.add(finding)
            self.save(None)

    def save(self, until: float | None) -> None:
        """Keep what was told; everything `until` that moment was looked at."""
        if self._told is None:
            return
        if self._webhook is not None:
            self._told.waiting = self._webhook.pending
        try:
            self._told.save(self._told.until if until is None else until)
        except OSError as error:
            if not self._failed:
                notice(f"can't keep what was told: {error.strerror}; it may be told again")
            self._failed = True


def _event_log(configured: logs.Configured, stack: ExitStack) -> EventLog:
    from gatewaylog.audit.events import EventLog

    if not configured.events:
        raise WrongCall("tokens watch: --record needs event_log.path in gateway.toml")
    log = EventLog(configured.events, format=configured.events_format)
    stack.callback(log.close)
    return log


def _line(finding: Finding) -> str:
    stamp = datetime.fromtimestamp(finding.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    severity = finding.severity.name.lower()
    return printable(f"{stamp}  {finding.rule} {severity:<6} {finding.client}: {finding.detail}")


def _held(options: Namespace, events: str) -> Iterator[Row]:
    """Yield what the files hold, rotated ones too, in the order of time."""
    from gatewaylog.audit.events.reading import Records
    from gatewaylog.audit.rules.lines import event_of
    from gatewaylog.exceptions import ReaderError
    from gatewaylog.reader import find, lines_of

    lives: list[TokenEvent] = []
    if events:
        try:
            records = Records().of(find([events], rotated=True))
            lives = sorted(
                (life for _, record in records if (life := event_of(record))),
                key=lambda life: life.at,
            )
        except ReaderError:
            lives = []  # nothing was recorded yet
    entries = lines_of(logs.sources_of(options, "tokens"))
    sorted_rows: list[Iterable[Row]] = [lives, _uses(entries)]
    yield from heapq.merge(*sorted_rows, key=lambda row: row.at)


def _uses(entries: Iterable[Entry]) -> Iterator[TokenUse]:
    from gatewaylog.audit.rules.lines import use_of
    from gatewaylog.formats import Line

    for entry in entries:
        if isinstance(entry.line, Line) and (use := use_of(entry.line)):
            yield use


def _follow(
    options: Namespace, events: str, watch: Watch, tell: Callable[[Iterable[Finding], float], None]
) -> None:
    """Show the rules what is held, then what comes; where nothing does, that time goes by."""
    from gatewaylog.audit.events.reading import Records
    from gatewaylog.audit.rules.lines import event_of
    from gatewaylog.reader import Follower

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    records = Records()
    with ExitStack() as stack:
        lives = stack.enter_context(Follower([events])) if events else None
        calls = stack.enter_context(Follower(logs.named(options, "tokens").paths))
        # What is written while the log is read may be met twice.
        begin = time.time()
        met: set[Row] = set()

        def first() -> Iterator[Row]:
            for row in _held(options, events):
                if row.at >= begin - _LATE:
                    met.add(row)
                yield row

        tell(watch.of(first()), begin)
        kept = begin
        while not stopped.is_set():
            came = [entry.raw for entry in lives.poll()] if lives else []
            rows: list[Row] = [
                life for _, record in records.of_lines(came) if (life := event_of(record))
            ]
            rows += _uses(calls.poll())
            fresh = [row for row in rows if row not in met]
            fresh.sort(key=lambda row: row.at)
            now = time.time()
            tell(watch.of(fresh), kept)
            tell(watch.until(now), kept)
            seen = fresh[-1].at if fresh else now
            kept = seen if seen - kept > _KEEP else kept
            stopped.wait(_LOOK)
