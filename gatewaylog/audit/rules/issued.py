"""The tokens that were issued to each client, and which of them were used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Token:
    """A token: when it was issued, when it ends, and whether it was used."""

    at: float
    end: float
    used: bool = False


class Issued:
    """Keeps the tokens of each client for as long as a rule looks back."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._tokens: dict[str, Token] = {}
        self.clients: dict[str, list[Token]] = {}

    def issue(self, client: str, token_ref: str, at: float, end: float) -> None:
        """Take a token that was issued; the same once more changes nothing."""
        if token_ref in self._tokens:
            return
        token = self._tokens[token_ref] = Token(at, end)
        self.clients.setdefault(client, []).append(token)

    def use(self, token_ref: str) -> None:
        """Take note that a token was used."""
        token = self._tokens.get(token_ref)
        if token is not None:
            token.used = True

    def forget(self, now: float) -> None:
        """Let go of what is too old to be looked at."""
        oldest = now - self._keep
        self._tokens = {ref: token for ref, token in self._tokens.items() if token.at >= oldest}
        for client, tokens in list(self.clients.items()):
            self.clients[client] = kept = [token for token in tokens if token.at >= oldest]
            if not kept:
                del self.clients[client]
