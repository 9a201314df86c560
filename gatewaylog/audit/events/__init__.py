"""The event log: who did what, for audits.

After OpenASelect's page "Logging and auditing"; its names and ordinals are those of its sources.
"""

from gatewaylog.audit.events.log import EventLog, EventLogOptions
from gatewaylog.audit.events.names import (
    GatewayEvent,
    Kind,
    RequestorEvent,
    SessionState,
    UserEvent,
)
from gatewaylog.audit.events.records import AuditEvent
from gatewaylog.audit.events.session import message_id_of, session_of

__all__ = [
    "AuditEvent",
    "EventLog",
    "EventLogOptions",
    "GatewayEvent",
    "Kind",
    "RequestorEvent",
    "SessionState",
    "UserEvent",
    "message_id_of",
    "session_of",
]
