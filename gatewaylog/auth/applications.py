"""Who may call: the applications that credentials belong to."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_API = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application: whose it is, what it subscribes to, and what its keys open.

    `subscriptions` are API labels, `*` among them for every API. `keys` are `sha256:` and the
    64 lower-case hex digits of a key's SHA-256.
    """

    name: str
    owner: str
    vendor: str = ""
    subscriptions: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    def subscribes(self, label: str) -> bool:
        """Tell whether the application may call the API with this label."""
        return label in self.subscriptions or EVERY_API in self.subscriptions
