"""What `gatewaylog tokens watch` does: the rules over a log as it grows."""

from __future__ import annotations

import heapq
import signal
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from gatewaylog.cli import logs
from gatewaylog.cli.telling import Teller, told_before
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from gatewaylog.audit.rules import Finding, TokenEvent, TokenUse, Watch
    from gatewaylog.audit.rules.rule import Rule
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Entry, Source

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
        told = told_before(options, own["state"], stack)
        teller = Teller(options, configured, own["webhook"], told, stack)
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


def rules_given(options: Namespace, configured: logs.Configured) -> tuple[dict[str, Any], str]:
    """Return what `[rules]` says of the rules, and the file of places, empty where there is none.

    Raises ConfigurationError.
    """
    given = {name: value for name, value in configured.rules.items() if name not in _OWN}
    return given, _own(options, configured.rules.get("geoip", ""), "geoip")


def rules_of(options: Namespace, configured: logs.Configured, stack: ExitStack) -> list[Rule[Any]]:
    """Return the rules as `[rules]` has them; what they open is closed by the stack.

    Raises WrongCall.
    """
    from gatewaylog.audit.rules import rules
    from gatewaylog.audit.rules.places import Places

    given, geoip = rules_given(options, configured)
    try:
        places = stack.enter_context(closing(Places(geoip))) if geoip else None
    except ValueError as error:
        raise WrongCall(f"tokens watch: --geoip {error}") from None
    try:
        return rules(**given, locate=places)
    except (ValueError, TypeError, KeyError) as error:
        raise WrongCall(f"tokens: [rules]: {error}") from None


def _held(options: Namespace, events: str) -> Iterator[Row]:
    """Yield what the files hold, rotated ones too, in the order of time.

    Lines of both logs may stand in any of them, and how tokens began and ended may stand behind
    their use: it is looked for first. There is little of it.
    """
    from gatewaylog.reader import lines_of

    sources = logs.sources_of(options, "tokens")
    lives = dict.fromkeys(_lives([*_recorded(events), *sources]))  # a file may be named twice
    sorted_rows: list[Iterable[Row]] = [
        sorted(lives, key=lambda life: life.at),
        _uses(lines_of(sources)),
    ]
    yield from heapq.merge(*sorted_rows, key=lambda row: row.at)


def _recorded(events: str) -> list[Source]:
    """Find the files of the configuration's event log."""
    from gatewaylog.exceptions import ReaderError
    from gatewaylog.reader import find

    try:
        return find([events], rotated=True) if events else []
    except ReaderError:
        return []  # nothing was recorded yet


def _lives(sources: Iterable[Source]) -> Iterator[TokenEvent]:
    """Yield the events in tokens' lives, in the order of lines."""
    from gatewaylog.audit.rules.lines import LIFE, life_of
    from gatewaylog.formats import Unparsed
    from gatewaylog.reader import blocks_of, entries_in

    for source in sources:
        if source.is_pipe:
            with source.seekable():  # keeps what it holds, as that is read again
                pass
        for block in blocks_of(source):
            for entry in entries_in(block) if LIFE in block.raw else ():
                is_told = LIFE in entry.raw and isinstance(entry.line, Unparsed)
                if is_told and (life := life_of(entry.raw)):
                    yield life


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
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with _Coming(logs.named(options, "tokens").paths, events) as coming:
        kept = time.time()
        tell(watch.of(coming.after(_held(options, events))), kept)
        while not stopped.is_set():
            fresh, now = coming.rows(), time.time()
            tell(watch.of(fresh), kept)
            tell(watch.until(now), kept)
            seen = fresh[-1].at if fresh else now
            kept = seen if seen - kept > _KEEP else kept
            stopped.wait(_LOOK)


class _Coming:
    """Rows as they come to the logs at `paths`, and to the event log."""

    def __init__(self, paths: Sequence[str], events: str) -> None:
        from gatewaylog.reader import Follower

        # The event log first: what happened to a token comes before its use.
        self._logs = [Follower(names) for names in ([events] if events else [], paths)]
        self._begin = time.time()
        self._met: set[Row] = set()  # what is written while the log is read may be met twice

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for follower in self._logs:
            follower.close()

    def after(self, held: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows that are held, and take note of those that may be met again."""
        for row in held:
            if row.at >= self._begin - _LATE:
                self._met.add(row)
            yield row

    def rows(self) -> list[Row]:
        """Return what has come, in the order of time."""
        from gatewaylog.audit.rules.lines import row_of

        came = (row_of(entry.line) for log in self._logs for entry in log.poll())
        fresh = dict.fromkeys(row for row in came if row is not None and row not in self._met)
        return sorted(fresh, key=lambda row: row.at)
