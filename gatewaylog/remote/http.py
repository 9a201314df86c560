"""HTTP to a store, by the standard library alone: whoever reads logs need not install a client.

No redirect is followed and no proxy is asked, so that neither a password nor a query goes anywhere
but to the URL that was given. TLS certificates are verified.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from gatewaylog.exceptions import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from urllib.parse import SplitResult

TIMEOUT = 300.0  # seconds without a byte: long queries answer late
_PIECE = 256 * 1024
_SAID = 64 * 1024  # bytes of an error's page that are read
_BROKEN = "the answer broke off"
_SHOWN = 500  # characters of it that are told


class PassingError(RemoteError):
    """What may be gone when it is asked again; `after` is the answer's Retry-After, if any."""

    after = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What proves who asks; the user and password of the URL count where none are given here."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where a store answers. `name` and `shown` are for messages, and hold no secret."""

    name: str
    shown: str
    tls: ssl.SSLContext | None
    host: str
    port: int | None
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float = TIMEOUT

    def failed(self, why: object, kind: type[RemoteError] = RemoteError) -> RemoteError:
        """Return the error that tells what went wrong with this store, in one line."""
        return kind(f"{self.name} at {self.shown}: {' '.join(str(why).split())}")


def store_at(
    url: str,
    *,
    name: str,
    secrets: Secrets | None = None,
    headers: Mapping[str, str] | None = None,
    ca: str = "",
    timeout: float = TIMEOUT,
) -> Store:
    """Return the store `name` at `url`; the certificates in the file `ca`, if any, are trusted
    instead of the system's. Raises RemoteError where the URL or these can't be used.
    """
    parts, port = _parts(url, name)
    host = parts.hostname or ""
    at = f"[{host}]" if ":" in host else host
    return Store(
        name=name,
        shown=f"{parts.scheme}://{at}{'' if port is None else f':{port}'}{parts.path}",
        tls=_trusting(ca, name) if parts.scheme == "https" else None,
        host=host,
        port=port,
        path=parts.path.rstrip("/"),
        query=parts.query,
        headers={**(headers or {}), **_authorization(parts, secrets or Secrets(), name)},
        timeout=timeout,
    )


def _parts(url: str, name: str) -> tuple[SplitResult, int | None]:
    """Take a URL apart; messages don't show it, since it may hold a password."""
    wrong = RemoteError(f"{name}: the URL has to be such as http://host:port or https://host")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise wrong
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise wrong
    return parts, port


def _authorization(parts: SplitResult, secrets: Secrets, name: str) -> dict[str, str]:
    if secrets.token:
        if not (secrets.token.isascii() and secrets.token.isprintable()):
            raise RemoteError(f"{name}: the token has to be printable ASCII")
        return {"Authorization": f"Bearer {secrets.token}"}
    user = secrets.user or unquote(parts.username or "")
    password = secrets.password or unquote(parts.password or "")
    if not user:
        return {}
    if ":" in user:
        raise RemoteError(f"{name}: the name of a user can't hold a colon")
    pair = f"{user}:{password}".encode("utf-8", "surrogateescape")
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _trusting(ca: str, name: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        why = error.strerror or error
        raise RemoteError(f"{name}: {ca}: can't be used as certificates: {why}") from None


class Answer:
    """A response whose body has not been read."""

    def __init__(self, store: Store, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self._store = store
        self._response = response

    def header(self, name: str) -> str:
        """Return a header's value, "" where it is not there."""
        return self._response.getheader(name, "")

    @property
    def has_end(self) -> bool:
        """Tell whether a body that breaks off can be told from one that is whole."""
        return self._response.chunked or self._response.length is not None

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes. Raises RemoteError where it breaks off."""
        try:
            while piece := self._response.read1(_PIECE):
                yield piece
        except http.client.IncompleteRead:
            raise self._store.failed(_BROKEN, PassingError) from None
        if self._response.length:
            raise self._store.failed(_BROKEN, PassingError)

    def refusal(self) -> str:
        """Return what an answer says that is no success, with its status: one short line."""
        if 300 <= self.status < 400:
            return f"{self.status}: it redirects elsewhere, which is not followed"
        said = b""
        # It may break off, and its status tells enough.
        with suppress(OSError, RemoteError):
            for piece in self.pieces():
                said += piece
                if len(said) > _SAID:
                    break
        shown = " ".join(said.decode("utf-8", "replace").split())
        cut = f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown
        return f"{self.status} {self._response.reason}: {cut}" if cut else f"{self.status}"


@contextmanager
def asked(
    store: Store, method: str, path: str, *, query: str = "", body: bytes | None = None
) -> Iterator[Answer]:
    """Send a request and give its answer, to be read inside `with`.

    Raises RemoteError for whatever goes wrong on the way, also while the body is read.
    """
    connection = _connection(store)
    target = store.path + path + "?" + "&".join(filter(None, (store.query, query)))
    try:
        connection.request(method, target.rstrip("?"), body, dict(store.headers))
        with closing(connection.getresponse()) as response:
            yield Answer(store, response)
    except ssl.SSLCertVerificationError as error:
        raise store.failed(f"its certificate is not trusted: {error.verify_message}") from None
    except TimeoutError:
        raise store.failed(f"no answer for {store.timeout:g} s") from None
    except http.client.HTTPException as error:
        raise store.failed(f"the answer is no HTTP: {type(error).__name__}") from None
    except (OSError, UnicodeError) as error:
        raise store.failed(getattr(error, "strerror", None) or error, PassingError) from None
    finally:
        connection.close()


def _connection(store: Store) -> http.client.HTTPConnection:
    if store.tls is None:
        return http.client.HTTPConnection(store.host, store.port, timeout=store.timeout)
    return http.client.HTTPSConnection(
        store.host, store.port, timeout=store.timeout, context=store.tls
    )
