"""What the gateway keeps of clients in a database, looked for by TokenRef."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from gatewaylog.audit.application_store import application_keys, applications
from gatewaylog.audit.store.engine import FAILURES, engine_at, reason
from gatewaylog.audit.token_store import access_tokens
from gatewaylog.exceptions import TokenStoreError
from gatewaylog.redaction import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_ASKED = 200  # references in one question
_KEPT = 100_000  # answers that are remembered
_BEHIND = "g"  # behind all hex digits
_LATE = 60.0  # seconds that clocks of several gateways may differ by
_NONE_THERE = frozenset({"3F000", "42P01", "42501"})  # no schema, no table, not ours to read
_PREFIX = "sha256:"


class Lookups:
    """The tokens and applications of the database at `url`; nothing is written to it.

    A database without such tables, or none that the login may see, knows nobody.
    """

    def __init__(self, url: str, pseudonym_key: str) -> None:
        self._engine = engine_at(url, timeout=30, reads=True)
        self._pseudonyms = Pseudonyms(pseudonym_key)
        self._is_keyed = bool(pseudonym_key)
        self._owners: dict[str, str | None] = {}  # client_ids by TokenRef
        self._newest = 0.0  # when the last token was issued that was read, where all are
        self._applications: Sequence[sa.Row[Any]] = ()
        self._keys: Sequence[sa.Row[Any]] = ()

    def client_of(self, reference: str) -> str | None:
        """Return the client that a token was issued to, None where that is not known."""
        return self._owners.get(reference)

    def applications(self) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
        """Yield names, vendors, client_ids and keys. Disabled keys were good once."""
        keys: dict[str, list[str]] = {}
        for key in self._keys:
            keys.setdefault(key.application, []).append(_PREFIX + key.digest)
        for one in self._applications:
            yield one.name, one.vendor, one.client_id or "", tuple(keys.get(one.name, ()))

    def learn(self, references: Collection[str]) -> bool:
        """Look for what was not looked for; tell whether the applications are others since.

        Raises TokenStoreError where the database is down.
        """
        unknown = [reference for reference in references if reference not in self._owners]
        if not unknown:
            return False
        before = self._applications, self._keys
        table = applications.c
        self._applications = self._asked(sa.select(table.name, table.vendor, table.client_id))
        keys = application_keys.c
        self._keys = self._asked(sa.select(keys.digest, keys.application))
        found = self._all_tokens() if self._is_keyed else self._tokens(unknown)
        self._owners |= dict.fromkeys(unknown) | found
        while len(self._owners) > _KEPT:
            del self._owners[next(iter(self._owners))]
        return before != (self._applications, self._keys)

    def _tokens(self, references: list[str]) -> dict[str, str | None]:
        """Look for digests that begin with the references."""
        digest = access_tokens.c.digest
        found: dict[str, str | None] = {}
        for at in range(0, len(references), _ASKED):
            asked = references[at : at + _ASKED]
            begins = [sa.and_(digest >= ref, digest < ref + _BEHIND) for ref in asked]
            query = sa.select(digest, access_tokens.c.client_id).where(sa.or_(*begins))
            found |= {row.digest[:32]: row.client_id for row in self._asked(query)}
        return found

    def _all_tokens(self) -> dict[str, str | None]:
        """Read the tokens that came since: a reference that took a key can't be looked for."""
        table = access_tokens.c
        fresh = table.issued_at >= self._newest - _LATE
        found: dict[str, str | None] = {}
        query = sa.select(table.digest, table.client_id, table.issued_at).where(fresh)
        for row in self._asked(query):
            found[self._pseudonyms.of_digest(bytes.fromhex(row.digest))] = row.client_id
            self._newest = max(self._newest, row.issued_at)
        return found

    def _asked(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except FAILURES as error:
            if _knows_nobody(error):
                return ()
            raise TokenStoreError(reason(error)) from None


def _knows_nobody(error: BaseException) -> bool:
    """Tell whether no gateway keeps clients there, or none that we may see: no reason to wait."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, FileNotFoundError) or "no such table" in str(cause):
        return True
    return getattr(cause, "sqlstate", None) in _NONE_THERE
