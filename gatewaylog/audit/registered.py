"""Applications as a database keeps them, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An application; `client_secret` is `sha256:…` or empty, `suspended` are subscriptions that
    rest.
    """

    name: str
    owner: str
    vendor: str = ""
    client_id: str = ""
    client_secret: str = ""
    subscriptions: frozenset[str] = frozenset()
    suspended: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredKey:
    """An API key by its SHA-256; times are seconds since the epoch."""

    digest: bytes
    application: str
    created_at: float
    disabled_at: float | None = None


class Register(Protocol):
    """Where applications are kept, for all workers. Its calls block, in any thread.

    Each raises TokenStoreError where it can't be done.
    """

    def by_key(self, digest: bytes) -> Registered | None:
        """Return the application of the key with this SHA-256, None where it is disabled too."""

    def by_client(self, client_id: str) -> Registered | None:
        """Return the application of an OAuth client."""

    def close(self) -> None:
        """Close its connections."""
