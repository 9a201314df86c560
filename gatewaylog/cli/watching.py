"""What `gatewaylog tokens watch` does: the rules over a log as it grows."""

from __future__ import annotations

import heapq
import json
import signal
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    from gatewaylog.audit.rules import Finding, TokenEvent, TokenUse, Watch
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Entry

    Row = TokenUse | TokenEvent

_LOOK = 0.5  # seconds between two looks at the files
_LATE = 60.0  # seconds that a line may be behind its time


def configure(parser: Parser) -> None:
    """Add the arguments besides FILE and --config."""
    parser.add_argument("--once", action="store_true", help="tell all of the log, and end")
    parser.add_argument(
        "--severity", choices=("low", "medium", "high"), default="low", help="tell from it on"
    )
    parser.add_argument("--record", action="store_true", help="record findings in the event log")
    parser.add_argument("--webhook", metavar="URL", default="", help="post findings there, as JSON")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")


def run(options: Namespace) -> int:
    """Tell findings: with --once of all that is there, else those from now on, until SIGTERM."""
    from gatewaylog.audit.rules import Severity, Watch, rules

    configured = logs.configured(options)
    try:
        watch = Watch(rules(**configured.rules))
    except (ValueError, TypeError, KeyError) as error:
        raise WrongCall(f"tokens: [rules]: {error}") from None
    least = Severity[options.severity.upper()]
    since = 0.0 if options.once else time.time()
    with ExitStack() as stack:
        tell = _teller(options, configured.events, stack)

        def told(findings: Iterable[Finding]) -> None:
            for finding in findings:
                if finding.severity >= least and finding.at >= since:
                    tell(finding)

        if options.once:
            told(watch.of(_held(options, configured.events)))
        else:
            _follow(options, configured.events, watch, told)
    return 0


def _teller(options: Namespace, events: str, stack: ExitStack) -> Callable[[Finding], None]:
    from gatewaylog.audit.events import EventLog
    from gatewaylog.audit.rules.reporting import Report, ToEventLog, ToWebhook, shown

    reports: list[Report] = []
    if options.record:
        if not events:
            raise WrongCall("tokens: --record needs event_log.path in gateway.toml")
        log = EventLog(events)
        stack.callback(log.close)
        reports.append(ToEventLog(log))
    if options.webhook:
        try:
            reports.append(ToWebhook(options.webhook))
        except ValueError as error:
            raise WrongCall(f"tokens: --webhook {error}") from None

    def tell(finding: Finding) -> None:
        print(json.dumps(shown(finding)) if options.json else _line(finding), flush=True)
        for report in reports:
            report.tell(finding)

    return tell


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
    options: Namespace, events: str, watch: Watch, told: Callable[[Iterable[Finding]], None]
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

        told(watch.of(first()))
        while not stopped.is_set():
            came = [entry.raw for entry in lives.poll()] if lives else []
            rows: list[Row] = [
                life for _, record in records.of_lines(came) if (life := event_of(record))
            ]
            rows += _uses(calls.poll())
            fresh = [row for row in rows if row not in met]
            told(watch.of(sorted(fresh, key=lambda row: row.at)))
            told(watch.until(time.time()))
            stopped.wait(_LOOK)
