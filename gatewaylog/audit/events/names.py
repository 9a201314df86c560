"""The names of states and events, as OpenASelect has them, and the gateway's own.

Ordinals of states and the numbers of kinds stand in tables: neither may ever change.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum, auto


class Kind(IntEnum):
    """Whose event it is: the column `logitemtype`."""

    USER = 1
    REQUESTOR = 2


class SessionState(IntEnum):
    """The state of an authentication session: the column `state` holds its ordinal."""

    SESSION_CREATED = 0
    PRE_AUTHZ_IN_PROGRESS = 1
    PRE_AUTHZ_OK = 2
    PRE_AUTHZ_FAILED = 3
    POST_AUTHZ_IN_PROGRESS = 4
    POST_AUTHZ_OK = 5
    POST_AUTHZ_FAILED = 6
    AUTHN_SELECTION_IN_PROGRESS = 7
    AUTHN_SELECTION_OK = 8
    AUTHN_SELECTION_FAILED = 9
    AUTHN_IN_PROGRESS = 10
    AUTHN_OK = 11
    AUTHN_FAILED = 12
    AUTHN_NOT_SUPPORTED = 13
    USER_UNKNOWN = 14
    USER_BLOCKED = 15
    USER_CANCELLED = 16
    USER_LOGOUT_SUCCESS = 17
    USER_LOGOUT_IN_PROGRESS = 18
    USER_LOGOUT_FAILED = 19
    USER_LOGOUT_PARTIAL = 20
    PASSIVE_FAILED = 21


class _Upper(StrEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        del start, count, last_values
        return name


class UserEvent(_Upper):
    """What a user did, or what was done to one."""

    INTERNAL_ERROR = auto()
    REQUEST_INVALID = auto()
    SESSION_INVALID = auto()
    SESSION_EXPIRED = auto()
    TGT_NOT_SUFFICIENT = auto()
    TGT_USER_INVALID = auto()
    USER_IDENTIFIED = auto()
    USER_UPDATED = auto()
    USER_ADDED = auto()
    USER_REMOVED = auto()
    USER_BLOCKED = auto()
    USER_UNKNOWN = auto()
    USER_DISABLED = auto()
    USER_CANCELLED = auto()
    USER_PRE_AUTHORIZED = auto()
    USER_POST_AUTHORIZED = auto()
    USER_AUTHENTICATED = auto()
    USER_LOGGED_OUT = auto()
    AUTHN_PROFILE_DISABLED = auto()
    AUTHN_PROFILE_INVALID = auto()
    AUTHN_PROFILE_NOT_AVAILABLE = auto()
    AUTHN_PROFILE_SELECTED = auto()
    AUTHN_METHOD_NOT_SUPPORTED = auto()
    AUTHN_METHOD_NOT_REGISTERED = auto()
    AUTHN_METHOD_IN_PROGRESS = auto()
    AUTHN_METHOD_SUCCESSFUL = auto()
    AUTHN_METHOD_FAILED = auto()
    AUTHZ_PROFILE_DISABLED = auto()
    AUTHZ_METHOD_IN_PROGRESS = auto()
    AUTHZ_METHOD_SUCCESSFUL = auto()
    AUTHZ_METHOD_FAILED = auto()
    TGT_EXPIRED = auto()
    USER_LOGOUT_FAILED = auto()
    USER_LOGOUT_IN_PROGRESS = auto()
    USER_LOGOUT_PARTIALLY = auto()


class RequestorEvent(_Upper):
    """What a requestor did: an application that has its users authenticated."""

    INTERNAL_ERROR = auto()
    SESSION_INVALID = auto()
    SESSION_EXPIRED = auto()
    USER_UNKNOWN = auto()
    USER_IDENTIFIED = auto()
    USER_DISABLED = auto()
    REQUEST_INVALID = auto()
    AUTHN_INITIATION_SUCCESSFUL = auto()
    AUTHN_INITIATION_FAILED = auto()
    QUERY_SUCCESSFUL = auto()
    QUERY_FAILED = auto()
    TOKEN_DEREFERENCE_SUCCESSFUL = auto()
    TOKEN_DEREFERENCE_FAILED = auto()
    AUTHN_SUCCESSFUL = auto()
    AUTHN_FAILED = auto()
    LOGOUT_FAILED = auto()
    LOGOUT_PARTIALLY = auto()
    LOGOUT_SUCCESS = auto()
    LOGOUT_INITIATION_SUCCESSFUL = auto()
    PASSIVE_FAILED = auto()


class GatewayEvent(_Upper):
    """What the gateway itself records; those of an application are a requestor's."""

    TOKEN_ISSUED = auto()
    TOKEN_REFUSED = auto()
    TOKEN_REVOKED = auto()
    KEY_CREATED = auto()
    KEY_DISABLED = auto()
    CONFIGURATION_LOADED = auto()
    CONFIGURATION_REFUSED = auto()
    VERBOSITY_CHANGED = auto()
    RETENTION_RUN = auto()
    RULE_FIRED = auto()
    GATEWAY_STARTED = auto()
    GATEWAY_STOPPED = auto()
    LOG_LOST = auto()
    LOG_CLOSED = auto()


_OF_REQUESTORS = frozenset(
    {
        GatewayEvent.TOKEN_ISSUED,
        GatewayEvent.TOKEN_REFUSED,
        GatewayEvent.TOKEN_REVOKED,
        GatewayEvent.RULE_FIRED,
    }
)
_NAMED: dict[Kind, dict[str, StrEnum]] = {
    Kind.USER: {
        **GatewayEvent.__members__,
        **UserEvent.__members__,
    },
    Kind.REQUESTOR: {
        **GatewayEvent.__members__,
        **RequestorEvent.__members__,
    },
}


def kind_of(event: str) -> Kind:
    """Return whose event a name tells of; a name of an application's own is a user's."""
    if isinstance(event, RequestorEvent) or event in _OF_REQUESTORS:
        return Kind.REQUESTOR
    return Kind.USER


def event_named(name: str, kind: Kind) -> str:
    """Return the member that a kind's name stands for; the name itself where it is no one's."""
    return _NAMED[kind].get(name, name)
