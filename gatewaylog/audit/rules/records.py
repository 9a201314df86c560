"""What rules look at, and what they find. All moments are seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal


class Severity(IntEnum):
    """How much a finding matters: a person should look at MEDIUM today, at HIGH now."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse:
    """One call with a credential: a terminal event of the access log.

    `client` is whose credential it is, None where that is not known. `bytes_out` is the size of
    the answer, None where it is not kept.
    """

    at: float
    message_id: str
    token_ref: str
    client: str | None = None
    remote_ip: str | None = None
    user_agent: str | None = None
    status: int | None = None
    error_code: str | None = None
    bytes_out: int | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the credential was not good enough."""
        return self.status in {401, 403}

    @property
    def is_good(self) -> bool:
        """Whether the credential opened what it was presented for."""
        return self.status is not None and self.status < 400


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """Something in the life of a credential; `expires_at` is told when it is issued."""

    at: float
    kind: Literal["issued", "refused", "revoked"]
    token_ref: str
    client: str | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule has found: `rows` are the MessageIDs of calls that made it fire, the last few.

    `client` is an address where a rule is about one.
    """

    rule: str
    severity: Severity
    client: str
    at: float
    detail: str
    rows: tuple[str, ...] = ()
