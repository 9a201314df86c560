"""Whose credential a TokenRef stands for: by the applications of the configuration, and the store
of tokens that the gateway has issued.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from gatewaylog.audit.store.engine import FAILURES, engine_at, reason
from gatewaylog.audit.token_store import access_tokens
from gatewaylog.exceptions import TokenStoreError
from gatewaylog.redaction import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_PREFIX = "sha256:"
_KEY = re.compile("sha256:[0-9a-f]{64}")
_SHOWN = 8  # hex digits of a key's hash
_ASKED = 200  # references in one question
_KEPT = 100_000  # answers that are remembered
_BEHIND = "g"  # behind all hex digits
_LATE = 60.0  # seconds that clocks of several gateways may differ by
_NONE_THERE = frozenset({"3F000", "42P01", "42501"})  # no schema, no table, not ours to read


_Owners = dict[str, str | None]  # client_ids by TokenRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What the configuration tells of an application; `keys` are `sha256:` and 64 hex digits.

    Raises ValueError for others.
    """

    name: str
    vendor: str = ""
    client_id: str = ""
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(_KEY.fullmatch, self.keys)):
            raise ValueError('must be "sha256:" and 64 hex digits')


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of who calls. `pseudonym_key` is the log's; `tokens` the URL of the database
    of issued tokens, empty for none.
    """

    applications: tuple[Application, ...] = ()
    pseudonym_key: str = ""
    tokens: str = ""

    def text(self) -> str:
        """Return it as text, for another process. It holds what may be secret."""
        applications = [
            {name: getattr(application, name) for name in Application.__slots__}
            for application in self.applications
        ]
        told = {"pseudonym_key": self.pseudonym_key, "tokens": self.tokens}
        return json.dumps(told | {"applications": applications})


def known_of(text: str) -> Known:
    """Read what `Known.text` returned; of an empty text nothing is known."""
    told: dict[str, Any] = json.loads(text or "{}")
    applications = tuple(
        Application(**application | {"keys": tuple(application["keys"])})
        for application in told.pop("applications", ())
    )
    return Known(applications=applications, **told)


class Client(NamedTuple):
    """Who called: `key` is the client_id, or `key:` and the begin of an API key's hash."""

    key: str | None
    application: str | None
    vendor: str | None


NOBODY = Client(None, None, None)


class Clients:
    """Tells whose the references are."""

    def __init__(self, known: Known) -> None:
        self._pseudonyms = Pseudonyms(known.pseudonym_key)
        self._by_name = {one.name: _client(one, one.client_id) for one in known.applications}
        self._by_id = {
            one.client_id: _client(one, one.client_id)
            for one in known.applications
            if one.client_id
        }
        self._by_key = dict(
            itertools.chain.from_iterable(map(self._keys_of, known.applications)),
        )
        self._tokens = Tokens(known.tokens, known.pseudonym_key) if known.tokens else None

    def _keys_of(self, one: Application) -> Iterable[tuple[str, Client]]:
        for key in one.keys:
            digest = key.removeprefix(_PREFIX)
            client = _client(one, f"key:{digest[:_SHOWN]}")
            yield self._pseudonyms.of_digest(bytes.fromhex(digest)), client

    def learn(self, references: Iterable[str]) -> None:
        """Ask the store of tokens for what is not known. Raises TokenStoreError."""
        if self._tokens is not None:
            self._tokens.learn({ref for ref in references if ref not in self._by_key})

    def of(self, reference: str, name: str | None) -> Client:
        """Return whose the reference is; `name` is the application's by the log, if it tells."""
        client = self._by_key.get(reference)
        if client is None:
            client = self._of_token(reference)
        if client is NOBODY and name is not None:
            return self._by_name.get(name, Client(None, name, None))
        return client

    def _of_token(self, reference: str) -> Client:
        client_id = self._tokens.of(reference) if self._tokens else None
        if client_id is None:
            return NOBODY
        return self._by_id.get(client_id, Client(client_id, None, None))


def _client(application: Application, key: str) -> Client:
    return Client(key or None, application.name, application.vendor or None)


class Tokens:
    """The clients of issued tokens, by TokenRef; what was found is remembered for a while."""

    def __init__(self, url: str, pseudonym_key: str) -> None:
        self._engine = engine_at(url, timeout=30, reads=True)
        self._pseudonyms = Pseudonyms(pseudonym_key)
        self._is_keyed = bool(pseudonym_key)
        self._found: _Owners = {}
        self._seen = 0.0  # the newest token that was read, where all are

    def of(self, reference: str) -> str | None:
        """Return whose the token was, None where that is not known."""
        return self._found.get(reference)

    def learn(self, references: Collection[str]) -> None:
        """Look for what was not looked for. Raises TokenStoreError where the store is down."""
        unknown = [reference for reference in references if reference not in self._found]
        if not unknown:
            return
        try:
            with self._engine.connect() as connection:
                found = self._all(connection) if self._is_keyed else _some(connection, unknown)
        except FAILURES as error:
            if not _has_no_tokens(error):
                raise TokenStoreError(reason(error)) from None
            found = {}
        self._found |= dict.fromkeys(unknown) | found
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]

    def _all(self, connection: sa.Connection) -> _Owners:
        """Read the tokens that came since: a reference that took a key can't be looked for."""
        table = access_tokens
        fresh = sa.select(table.c.digest, table.c.client_id, table.c.issued_at).where(
            table.c.issued_at >= self._seen - _LATE
        )
        found: _Owners = {}
        for digest, client_id, issued_at in connection.execute(fresh):
            found[self._pseudonyms.of_digest(bytes.fromhex(digest))] = client_id
            self._seen = max(self._seen, issued_at)
        return found


def _some(connection: sa.Connection, references: list[str]) -> _Owners:
    """Look for digests that begin with the references."""
    digest = access_tokens.c.digest
    found: _Owners = {}
    for at in range(0, len(references), _ASKED):
        begins = [
            sa.and_(digest >= ref, digest < ref + _BEHIND) for ref in references[at:][:_ASKED]
        ]
        rows = connection.execute(
            sa.select(digest, access_tokens.c.client_id).where(sa.or_(*begins))
        )
        found |= {row.digest[:32]: row.client_id for row in rows}
    return found


def _has_no_tokens(error: BaseException) -> bool:
    """Tell whether no gateway keeps tokens there, or none that we may see: no reason to wait."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, FileNotFoundError) or "no such table" in str(cause):
        return True
    return getattr(cause, "sqlstate", None) in _NONE_THERE
