"""What `gatewaylog tokens watch` does: the rules over a log as it grows."""

from __future__ import annotations

import heapq
import signal
import threading
import time
from contextlib import ExitStack, closing
from itertools import chain
from typing import TYPE_CHECKING, Any

from gatewaylog.cli import logs
from gatewaylog.cli.telling import Teller, told_before
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    from gatewaylog.audit.rules import Finding, TokenEvent, TokenUse, Watch
    from gatewaylog.audit.rules.rule import Rule
    from gatewaylog.audit.rules.told import Told
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader import Entry, Follower, Pipe, Source

    Row = TokenUse | TokenEvent

_LOOK = 0.5  # seconds between two looks at the files
_KEEP = 10.0  # seconds after which it is kept what was read
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
    from gatewaylog.audit.rules import Watch

    configured = logs.configured(options)
    own = {name: _own(options, configured.rules.get(name, ""), name) for name in _OWN}
    with ExitStack() as stack:
        watch = Watch(rules_of(options, configured, stack))
        told = told_before(options, own["state"], stack)
        teller = Teller(options, configured, own["webhook"], told, stack)
        reading = _Reading(told)
        if options.once:
            held = reading.of(_held(options, configured.events))
            _tell_held(watch.of(held), told, teller, since=0.0)
            teller.save(reading.newest)
        else:
            _follow(options, configured.events, watch, teller, reading)
    return 0


class _Reading:
    """Takes note of rows as the rules are shown them; `newest` is the last one's time, the clock's
    where that is before it.
    """

    def __init__(self, told: Told | None) -> None:
        self.told = told
        self.newest = 0.0
        self._begin = time.time()

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield rows in the order of time."""
        for row in rows:
            if self.told is not None:
                self.told.take(row.at)
            self.newest = max(self.newest, min(row.at, self._begin))
            yield row

    def of_those_that_come(self, rows: Iterable[Row], now: float) -> Iterator[Row]:
        """Yield rows as they come. One that comes late does not count as read: the next process
        shows it to the rules at its place, where they may find what they can't from it now.
        """
        for row in rows:
            if self.told is not None and row.at >= self.newest - _LATE:
                self.told.take(row.at)
            self.newest = max(self.newest, min(row.at, now))
            yield row


def _tell_held(
    found: Iterable[Finding], told: Told | None, teller: Teller, *, since: float
) -> None:
    """Tell what is new of what files hold: with a memory what it has not, else what is `since`."""
    if told is not None and told.is_any:
        found = list(found)  # all is read before the memory is asked
        since = told.open_since
        found = [finding for finding in found if finding.at >= since]
    for finding in found:
        if finding.at >= since:
            teller.tell(finding)
        else:
            teller.pass_over(finding)


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

    named = logs.named(options, "tokens")
    if not options.once:  # what is piped into one that follows is no history: it comes
        named = named._replace(paths=tuple(path for path in named.paths if path != "-"))
    sources = named.sources() if named.paths else []
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
    options: Namespace, events: str, watch: Watch, teller: Teller, reading: _Reading
) -> None:
    """Show the rules what is held, then what comes; where nothing does, that time goes by."""
    stopped, begin = threading.Event(), time.time()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with _Coming(logs.named(options, "tokens").paths, events) as coming:
        held = reading.of(coming.after(_held(options, events)))
        found = chain(watch.of(held), watch.until(begin))
        _tell_held(found, reading.told, teller, since=begin)
        teller.save(now := begin)
        kept = time.monotonic()
        while not (stopped.is_set() or coming.ended):
            fresh, now = coming.rows(), time.time()
            came = reading.of_those_that_come(fresh, now)
            for finding in chain(watch.of(came), watch.until(now)):
                teller.tell(finding)
            if time.monotonic() - kept > _KEEP:
                teller.save(now)
                kept = time.monotonic()
            stopped.wait(0 if fresh else _LOOK)
        teller.save(now)


class _Coming:
    """Rows as they come to the logs at `paths`, and to the event log."""

    def __init__(self, paths: Sequence[str], events: str) -> None:
        from gatewaylog.reader import Follower, Pipe

        files = [path for path in paths if path != "-"]
        self._grows = bool(files)
        self._pipe = Pipe("-") if len(files) < len(paths) else None
        # The event log first: what happened to a token comes before its use.
        self._logs = [Follower(names) for names in ([events] if events else [], files)]
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

    @property
    def ended(self) -> bool:
        """Whether nothing can come any more: standard input has ended, and no file is followed."""
        return not self._grows and self._pipe is not None and self._pipe.ended

    def rows(self) -> list[Row]:
        """Return what has come, in the order of time."""
        from gatewaylog.audit.rules.lines import row_of

        growing: list[Follower | Pipe] = [*self._logs, *filter(None, [self._pipe])]
        came = [row_of(entry.line) for log in growing for entry in log.poll()]
        fresh = (row for row in came if row is not None and row not in self._met)
        return sorted(fresh, key=lambda row: row.at)
