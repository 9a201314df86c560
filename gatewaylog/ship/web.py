"""Requests to destinations that speak HTTP, and what their answers mean for a batch."""

from __future__ import annotations

import re
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import httpx

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.destination import Refused, TryAgain
from gatewaylog.ship.tls import trusted, why

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatewaylog.ship.settings import Settings

_PLAIN = re.compile(r"[!-~]+")  # ASCII without spaces
_MEDIA_TYPE = re.compile(r"[a-z0-9.+_-]{1,40}/[a-z0-9.+_-]{1,60}")
_MOST = 256 * 1024  # bytes of an answer that are read
_SHOWN = 400  # characters of it that are told
_STOPS = {401, 403, 404, 405}  # a wrong credential or address: for every batch alike


class Answer(NamedTuple):
    """A response, as much as was read of it; `after` is how many seconds its Retry-After asks for.

    `kind` is its media type, without parameters, and `exception` the number of a ClickHouse's error
    (X-ClickHouse-Exception-Code); empty where it names none.
    """

    status: int
    after: float | None
    body: bytes
    kind: str = ""
    exception: str = ""

    @property
    def is_good(self) -> bool:
        """Tell whether its status is one of success; a login page has such a status, too."""
        return 200 <= self.status < 300

    @property
    def told(self) -> str:
        """What it says, in one printable line."""
        text = " ".join(self.body.decode("utf-8", "replace").split())[:_SHOWN]
        shown = "".join(letter if letter.isprintable() else "?" for letter in text)
        return f"HTTP {self.status}: {shown}" if shown else f"HTTP {self.status}"


class Web:
    """Connections to one server; TLS certificates are verified, no redirect is followed.

    Raises ShipError where the URL or the certificates can't be used.
    """

    def __init__(self, settings: Settings, path: str, headers: Mapping[str, str]) -> None:
        self._url = _url(settings, path)
        self._base = settings.url.rstrip("/")
        self._timeout = settings.timeout
        auth = (settings.user, settings.password) if settings.user else None
        self._client = httpx.Client(
            headers={"Accept-Encoding": "identity", "User-Agent": "gatewaylog", **headers},
            auth=auth,
            verify=self._verifying(settings),
            timeout=settings.timeout,
        )

    @staticmethod
    def _verifying(settings: Settings) -> ssl.SSLContext:
        """Return what verifies; without TLS what trusts nobody, as to read certificates is slow."""
        if settings.url.startswith("https:") or settings.ca:
            return trusted(settings)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def post(
        self,
        content: bytes,
        *,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send, and return the answer whatever its status. Raises TryAgain where there is none."""
        url = self._base + path if path else self._url
        end = time.monotonic() + self._timeout
        try:
            with self._client.stream(
                "POST", url, content=content, headers=headers, params=params
            ) as response:
                body = self._body(response, end)
        except httpx.TransportError as error:
            raise TryAgain(f"no answer from {self._base}: {why(error)}") from None
        fields = response.headers
        return Answer(
            response.status_code,
            _after(fields),
            body,
            kind=_kind(fields.get("Content-Type", "")),
            exception=fields.get("X-ClickHouse-Exception-Code", ""),
        )

    def _body(self, response: httpx.Response, end: float) -> bytes:
        body = b""
        for piece in response.iter_raw():
            body += piece
            if len(body) > _MOST:
                break
            if time.monotonic() > end:
                raise TryAgain(f"the answer took over {self._timeout:g} s")
        return body

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def judge(answer: Answer) -> None:
    """Return where the answer says yes; raise TryAgain, Refused or ShipError where not."""
    if answer.is_good:
        return
    if answer.status in {408, 429} or answer.status >= 500:
        raise TryAgain(answer.told, after=answer.after)
    if answer.status in _STOPS or answer.status < 400:
        raise ShipError(f"the destination answers {answer.told}")
    raise Refused(answer.told)


def unlike(answer: Answer, expected: str, whose: str) -> TryAgain:
    """Return what to raise for a success that the destination does not answer so: what stands
    between may have answered, a proxy that wants a login, say, and nothing may have been taken.
    """
    came = f"with {answer.kind or 'a body'}" if answer.body else "without a body"
    return TryAgain(f"HTTP {answer.status} {came} where {expected} (is this URL {whose}?)")


def _kind(value: str) -> str:
    kind = value.partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else ""


def _after(headers: httpx.Headers) -> float | None:
    """Return the seconds that Retry-After asks for (RFC 9110 §10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _url(settings: Settings, path: str) -> str:
    """Return where to post: the URL as given where it has a path, else with the usual one."""
    try:
        parts = urlsplit(settings.url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")  # as it is looked up
    except ValueError:  # UnicodeError is one: a label of the name is empty or too long
        good = False
    if not good or not _PLAIN.fullmatch(settings.url):
        raise ShipError(f"{settings.to}: url must be one like https://host:port")
    if parts.username is not None or parts.query or parts.fragment:
        raise ShipError(
            f"{settings.to}: url must hold no user, password or query:"
            " name them by user and password"
        )
    return settings.url if parts.path.strip("/") else settings.url.rstrip("/") + path
