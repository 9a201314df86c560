"""Tokens that were issued, as a store keeps them, and what is asked of such a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token that was issued, by its SHA-256; times are seconds since the epoch.

    `application` is the one that the client was of then: the token opens nothing for another.
    """

    digest: bytes
    client_id: str
    scopes: frozenset[str]
    issued_at: float
    expires_at: float
    revoked_at: float | None = None
    application: str = ""


class TokenStore(Protocol):
    """Where issued tokens are kept, for all workers. Its calls block, in any thread.

    Each raises TokenStoreError where it can't be done.
    """

    def find(self, digest: bytes) -> Issued | None:
        """Return the token with this SHA-256."""

    def issue(self, token: Issued, *, limit: int) -> float | None:
        """Keep a token unless its client has `limit` live ones: then return when the first of
        those expires.
        """

    def revoke(self, digest: bytes, at: float) -> None:
        """Note that a token is good for nothing any more."""

    def close(self) -> None:
        """Close its connections."""
