"""Whose credential a TokenRef stands for: by the applications of the configuration, and what the
gateway keeps in a database: applications, and the tokens that it has issued.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from gatewaylog.audit.store.lookups import Lookups
from gatewaylog.redaction import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "sha256:"
_KEY = re.compile("sha256:[0-9a-f]{64}")
_SHOWN = 8  # hex digits of a key's hash


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
    of issued tokens and applications, empty for none.
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
    """Tells whose the references are. What the configuration says goes before the database."""

    def __init__(self, known: Known) -> None:
        self._pseudonyms = Pseudonyms(known.pseudonym_key)
        self._configured = known.applications
        self._lookups = Lookups(known.tokens, known.pseudonym_key) if known.tokens else None
        self._index(known.applications)

    def _index(self, applications: Iterable[Application]) -> None:
        self._by_name: dict[str, Client] = {}
        self._by_id: dict[str, Client] = {}
        self._by_key: dict[str, Client] = {}
        for one in applications:
            self._by_name[one.name] = client = _client(one, one.client_id)
            if one.client_id:
                self._by_id[one.client_id] = client
            for key in one.keys:
                digest = key.removeprefix(_PREFIX)
                reference = self._pseudonyms.of_digest(bytes.fromhex(digest))
                self._by_key[reference] = _client(one, f"key:{digest[:_SHOWN]}")

    def learn(self, references: Iterable[str]) -> None:
        """Ask the database for what is not known. Raises TokenStoreError."""
        if self._lookups is None:
            return
        unknown = {reference for reference in references if reference not in self._by_key}
        if self._lookups.learn(unknown):
            stored = (
                Application(name=name, vendor=vendor, client_id=client_id, keys=keys)
                for name, vendor, client_id, keys in self._lookups.applications()
            )
            self._index((*stored, *self._configured))

    def of(self, reference: str, name: str | None) -> Client:
        """Return whose the reference is; `name` is the application's by the log, if it tells."""
        client = self._by_key.get(reference) or self._of_token(reference)
        if client is NOBODY and name is not None:
            return self._by_name.get(name, Client(None, name, None))
        return client

    def _of_token(self, reference: str) -> Client:
        client_id = self._lookups.client_of(reference) if self._lookups else None
        if client_id is None:
            return NOBODY
        return self._by_id.get(client_id, Client(client_id, None, None))


def _client(application: Application, key: str) -> Client:
    return Client(key or None, application.name, application.vendor or None)
