"""The event log of the configuration, for verbs that do what audits ask for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gatewaylog.exceptions import LogError
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.audit.events import EventLog
    from gatewaylog.cli.logs import Configured

_AUTHORITY = "gatewaylog.cli"


@contextmanager
def event_log(configured: Configured, authority: str = _AUTHORITY) -> Iterator[EventLog | None]:
    """Give the event log, None where the configuration names none, or it can't be opened: that is
    told, as what is to be recorded was done already.
    """
    from gatewaylog.audit.events import EventLog

    if configured.events in {"", "-"}:
        yield None
        return
    try:
        log = EventLog(configured.events, format=configured.events_format, authority=authority)
    except (LogError, ValueError) as error:
        notice(f"{error}; nothing is recorded")
        yield None
        return
    try:
        yield log
    finally:
        log.close()
