"""Where the gateway listens and where backends are: addresses, URLs and origins."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import PlainValidator

from gatewaylog.gateway.paths import unroutable

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_AUTHORITY = re.compile(r"(\[[^][]*\]|[^][:]*)(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#@]+)", re.IGNORECASE)
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_LONGEST_SOCKET_PATH = 103  # bytes: sun_path of macOS; Linux takes 107


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen: host and port, or `unix_path`.

    `host` is a name or an address without brackets; port 0 is any free one.
    """

    host: str = ""
    port: int = 0
    unix_path: str = ""

    def __str__(self) -> str:
        if self.unix_path:
            return f"unix:{self.unix_path}"
        return f"{_bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendUrl:
    """A backend: `path` is as given, without a slash at the end (so empty, or `/a/b`).

    With `unix_path` the connection goes there, and host and port are `localhost` and 80.
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    unix_path: str = ""

    @property
    def authority(self) -> str:
        """The value of Host: the port only where it is not the scheme's own."""
        if self.port == _PORTS[self.scheme]:
            return _bracketed(self.host)
        return f"{_bracketed(self.host)}:{self.port}"

    def __str__(self) -> str:
        if self.unix_path:
            return f"http+unix://{quote(self.unix_path, safe='')}{self.path}"
        return f"{self.scheme}://{self.authority}{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A URL that the gateway itself asks: where to connect, and what for."""

    url: BackendUrl
    target: str

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `https://host/path?query`. Raises ValueError."""
        plain, mark, query = text.partition("?")
        url = backend_url(plain)
        if not _VISIBLE.fullmatch(text) or "#" in query:
            raise ValueError("must be a URL of visible ASCII characters without a fragment")
        return cls(url=url, target=(urlsplit(plain).path or "/") + mark + query)


def address(value: object) -> Address:
    """Read `host:port`, `[::1]:8080` or `unix:/path`."""
    if isinstance(value, Address):
        return value
    if isinstance(value, str) and value.startswith("unix:"):
        return Address(unix_path=_socket_path(value.removeprefix("unix:")))
    host, port = _host_and_port(value if isinstance(value, str) else "")
    if not host or port is None:
        allowed = '"127.0.0.1:8080", "[::1]:8080" or "unix:/run/gatewaylog.sock"'
        raise ValueError(f"must be an address like {allowed}")
    return Address(host=host, port=port)


def optional_address(value: object) -> Address | None:
    """Read an address; empty text is none."""
    return None if value in ("", None) else address(value)


def backend_url(value: object) -> BackendUrl:
    """Read `http://`, `https://` or `http+unix://%2Frun%2Fb.sock/path`."""
    if isinstance(value, BackendUrl):
        return value
    if not isinstance(value, str) or not _VISIBLE.fullmatch(value):
        raise ValueError("must be a URL of visible ASCII characters (percent-encode others)")
    try:
        url = urlsplit(value)
    except ValueError:
        raise ValueError("must be a URL like https://host:8443/path") from None
    _check_parts(value, url)
    if url.scheme == "http+unix":
        socket = _socket_path(unquote(url.netloc))
        return BackendUrl(
            scheme="http", host="localhost", port=80, path=_own_path(url), unix_path=socket
        )
    host, port = _host_and_port(url.netloc)
    if not host or port == 0:
        raise ValueError("must have a host: a name or an address, with a port from 1 to 65535")
    return BackendUrl(
        scheme=url.scheme, host=host, port=port or _PORTS[url.scheme], path=_own_path(url)
    )


def origin(value: object) -> str:
    """Read an origin as browsers send it: scheme, host, and the port where not the default."""
    match = _ORIGIN.fullmatch(value) if isinstance(value, str) else None
    host, port = _host_and_port(match[2]) if match else ("", None)
    if value == "*":
        return "*"
    if not match or not host:
        raise ValueError('must be "*" or an origin like "https://app.example.edu", without a path')
    scheme = match[1].lower()
    shown = "" if port is None or port == _PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{_bracketed(host)}{shown}"


def _check_parts(value: str, url: SplitResult) -> None:
    if url.scheme not in ("http", "https", "http+unix") or "://" not in value:
        raise ValueError("must begin with http://, https:// or http+unix://")
    if "@" in url.netloc:
        raise ValueError("must not hold user-info (name:password@)")
    if "?" in value or "#" in value:
        raise ValueError("must not hold a query or a fragment")


def _own_path(url: SplitResult) -> str:
    path = url.path.rstrip("/")
    if path and (unroutable(path.encode()) or "//" in path):
        raise ValueError("must have a path without . and .. segments, \\ and broken % escapes")
    return path


def _socket_path(path: str) -> str:
    if not path.startswith("/") or not path.isprintable():
        raise ValueError("must name the socket by its absolute path")
    if len(path.encode()) > _LONGEST_SOCKET_PATH:
        raise ValueError(f"must name a socket of at most {_LONGEST_SOCKET_PATH} bytes")
    return path


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """Return the host in lower case, empty where it is none; the port, None where not given."""
    match = _AUTHORITY.fullmatch(authority)
    if not match:
        return "", None
    host, port = match[1].lower(), int(match[2]) if match[2] else None
    if port is not None and port > 0xFFFF:
        return "", None
    return (host.strip("[]") if _is_host(host) else ""), port


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return "%" not in host and bool(IPv6Address(host[1:-1]).compressed)
        if host.rpartition(".")[2].isdigit():
            return bool(IPv4Address(host).compressed)
    except ValueError:
        return False
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and all(map(_LABEL.fullmatch, labels))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


ListenAddress = Annotated[Address, PlainValidator(address)]
AdminAddress = Annotated[Address | None, PlainValidator(optional_address)]
Backend = Annotated[BackendUrl, PlainValidator(backend_url)]
Origin = Annotated[str, PlainValidator(origin)]
