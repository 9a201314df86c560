"""--since and --until: the span of time that a verb looks at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.cli.verbs import TIME, WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.formats import Line


class Span(NamedTuple):
    """Moments in seconds since the epoch; `earliest` is in it, `latest` is not; None: open."""

    earliest: float | None = None
    latest: float | None = None

    def holds(self, line: Line) -> bool:
        """Tell whether a line was written in it."""
        if self == _ALL:
            return True
        moment = line.time.timestamp()
        is_early = self.earliest is not None and moment < self.earliest
        return not is_early and (self.latest is None or moment < self.latest)


_ALL = Span()


def configure(parser: Parser) -> None:
    """Add both options."""
    parser.add_argument(
        "--since", metavar=TIME, help="from this time on: RFC 3339, -15m, -7d@d, today, yesterday"
    )
    parser.add_argument("--until", metavar=TIME, help="up to this time, not with it")


def span_of(options: Namespace, now: float | None = None) -> Span:
    """Return what the options ask for. Raises WrongCall."""
    now = time.time() if now is None else now
    return Span(_moment(options, "since", now), _moment(options, "until", now))


def _moment(options: Namespace, name: str, now: float) -> float | None:
    text = getattr(options, name)
    if text is None:
        return None
    from gatewaylog.search import QueryError
    from gatewaylog.search.timespan import moment

    try:
        return moment(text, now)
    except QueryError as error:
        known = f"; known: {', '.join(error.known)}" if error.known else ""
        raise WrongCall(f"--{name} {text}: {error.message}{known}") from None
