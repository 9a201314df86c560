"""Who may call: the applications that credentials belong to."""

from __future__ import annotations

from dataclasses import dataclass

from gatewaylog.errors import (
    NOT_SUBSCRIBED,
    SCOPE_MISSING,
    SUBSCRIPTION_INACTIVE,
    Failure,
)

EVERY_API = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application: whose it is, what it subscribes to, and what its credentials open.

    `subscriptions` are API labels, `*` among them for every API; `suspended` those that rest.
    `keys`, and `client_secret` where there is one, are `sha256:` and the 64 lower-case hex digits
    of a secret's SHA-256.
    """

    name: str
    owner: str
    vendor: str = ""
    subscriptions: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    client_id: str = ""
    client_secret: str = ""
    suspended: frozenset[str] = frozenset()

    def subscribes(self, label: str) -> bool:
        """Tell whether the application may call the API with this label."""
        return label in self.subscriptions or EVERY_API in self.subscriptions

    def lacks(self, label: str, needed: frozenset[str], held: frozenset[str]) -> Failure | None:
        """Say why a credential with the scopes `held` does not open this API; None: it does.

        Of the scopes that a resource needs, one is enough, as in WSO2 API Manager.
        """
        if not self.subscribes(label):
            return NOT_SUBSCRIBED
        if self.suspended and not self.suspended.isdisjoint((label, EVERY_API)):
            return SUBSCRIPTION_INACTIVE
        if needed and needed.isdisjoint(held):
            return SCOPE_MISSING
        return None
