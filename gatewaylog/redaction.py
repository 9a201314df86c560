"""What must not stand in a log: secrets in queries, and names that are kept as pseudonyms."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "REDACTED"
SECRET_PARAMETERS = (
    "access_token",
    "token",
    "api_key",
    "apikey",
    "key",
    "password",
    "client_secret",
    "code",
    "sig",
    "signature",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
)
_SEPARATOR = re.compile("([&;?#])")
_START = re.compile("[?#]")
_USER_INFO = re.compile(r"\A([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*@")
_DECODINGS = 5
_REFERENCE = 32  # hex digits of a TokenRef or a pseudonym


class Redactor:
    """Replaces the values of query parameters that hold secrets by REDACTED.

    Names are compared without case and after percent-decoding, until that changes nothing; `;`
    separates parameters as `&` does, since some backends read it so.
    """

    def __init__(self, parameters: Iterable[str] = SECRET_PARAMETERS) -> None:
        self._names = frozenset(name.casefold() for name in parameters)

    def url(self, url: str) -> str:
        """Return `url`, the values of secret parameters in its query replaced, user-info gone."""
        if "@" in url and "//" in url:
            url = _USER_INFO.sub(r"\1//", url)
        if "=" not in url:
            return url
        # Behind the first "?" or "#" each further one parts too: a second "?" starts the query
        # for a program that looks for the last, and OAuth's implicit flow puts tokens behind "#".
        start = _START.search(url)
        if start is None:
            return url
        parts = _SEPARATOR.split(url[start.end() :])
        return url[: start.end()] + "".join(map(self._parameter, parts))

    def _parameter(self, parameter: str) -> str:
        name, equals, _ = parameter.partition("=")
        if equals and self._is_secret(name):
            return f"{name}={REDACTED}"
        return parameter

    def _is_secret(self, name: str) -> bool:
        if "%" in name or "+" in name:
            for _ in range(_DECODINGS):
                if (decoded := unquote_plus(name)) == name:
                    break
                name = decoded
            else:
                return True  # encoded that often to hide something
        # PHP and others take "token[]" for "token".
        return name.strip().partition("[")[0].casefold() in self._names


class Pseudonyms:
    """HMAC-SHA-256 with a key that only its owner has: the same name gives the same digits."""

    def __init__(self, key: str = "") -> None:
        self._key = key.encode()

    def of(self, value: str) -> str:
        """Return the pseudonym of a field's value."""
        return self._hmac(value.encode("utf-8", "surrogatepass"))

    def of_credential(self, credential: bytes) -> str:
        """Return the TokenRef of a credential: of its SHA-256, so that a store that keeps only
        hashes can be joined; without a key, of SHA-256 itself.
        """
        return self.of_digest(hashlib.sha256(credential).digest())

    def of_digest(self, digest: bytes) -> str:
        """Return the TokenRef of the credential with this SHA-256."""
        return self._hmac(digest) if self._key else digest.hex()[:_REFERENCE]

    def _hmac(self, message: bytes) -> str:
        return hmac.digest(self._key, message, "sha256").hex()[:_REFERENCE]
