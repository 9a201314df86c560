"""Where the lines of a writer end, as the event log has it: what is cut behind them is seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.audit.events.names import GatewayEvent

if TYPE_CHECKING:
    from gatewaylog.audit.events.records import AuditEvent

_TOLD = re.compile(r"writer=([0-9a-f]{1,64}) last_seq=([1-9][0-9]{0,18})(?: .*)?", re.ASCII)


class End(NamedTuple):
    """A writer's name and the number of its last event, as Writer and Seq have them."""

    writer: str
    seq: int


def told(end: End, log: str) -> str:
    """Return the detail of the record that tells of an end; `log` is the file's name."""
    return f"writer={end.writer} last_seq={end.seq} log={log}"


def end_of(record: AuditEvent) -> End | None:
    """Return the end that a record tells; None for any other record."""
    if record.event != GatewayEvent.LOG_CLOSED:
        return None
    match = _TOLD.fullmatch(record.detail or "")
    return None if match is None else End(match[1], int(match[2]))
