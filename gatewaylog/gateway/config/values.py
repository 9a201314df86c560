"""Texts, sizes, times, names and files of the configuration, from TOML to what the code uses.

Messages say what is allowed and never repeat the value (see `problems`).
"""

import re
import ssl
from collections.abc import Callable, Hashable
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gatewaylog.accesslog import CREDENTIAL_HEADERS
from gatewaylog.seal.keys import mac_of, signer_of
from gatewaylog.sinks.amounts import seconds_of, size_of
from gatewaylog.sinks.packing import packer

Network = IPv4Network | IPv6Network | Literal["unix"]
Item = TypeVar("Item", bound=Hashable)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_KEY = re.compile(r"sha256:[0-9A-Fa-f]{64}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3

_MEANT_OTHERWISE = CREDENTIAL_HEADERS | {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "keep-alive",
    "location",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
}


class Table(BaseModel):
    """A table of the file: immutable, no unknown keys, no value taken for another type's."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def size(value: object) -> int:
    """Return bytes: a whole number, or text like `100MiB` (1024s), `10MB` (1000s), `512B`."""
    number = _bytes(value)
    if number < 1:
        raise ValueError('must be a size over 0: bytes, or text like "64KiB", "10MB", "2GiB"')
    return number


def _bytes(value: object) -> int:
    """Return bytes, 0 for empty text, under 0 for what is no size."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if value == "":
        return 0
    try:
        return size_of(value if isinstance(value, str) else "")
    except ValueError:
        return -1


def size_or_none(value: object) -> int:
    """Return bytes: of what `size` takes, and 0 or empty text for none."""
    number = _bytes(value)
    if number < 0:
        raise ValueError('must be bytes, or text like "64KiB", "10MB", "2GiB"; 0 is none')
    return number


def optional_duration(value: str) -> str:
    """Accept a time; empty text is none."""
    if value:
        seconds_of(value)
    return value


def some_seconds(value: str) -> str:
    """Accept a time of at least a second."""
    if seconds_of(value) < 1:
        raise ValueError("must be at least a second")
    return value


def chain_key(value: str) -> str:
    """Accept a file that holds the key of a chain; empty is none."""
    return _key(value, mac_of)


def signing_key(value: str) -> str:
    """Accept a file that holds a private key for digests; empty is none."""
    return _key(value, signer_of)


def _key(path: str, read: Callable[[str], object]) -> str:
    try:
        if path:
            read(path)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{path}: ")) from None
    return path


def packable(value: str) -> str:
    """Accept a way to compress whose module is installed."""
    if value:
        packer(value)
    return value


def load(extra: str, *modules: str) -> None:
    """Import modules, in the process that workers are forked from: each would take a second to
    import them, and hold them by itself. Raises ValueError where `extra` is not installed.
    """
    try:
        for module in modules:
            import_module(module)
    except ImportError:
        raise ValueError(f"needs pip install 'gatewaylog[{extra}]'") from None


def one_or_several(value: object) -> object:
    """Let one text stand for a list of one."""
    return (value,) if isinstance(value, str) else value


def distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Refuse a list in which an item stands twice."""
    if len(set(items)) < len(items):
        raise ValueError("must not name anything twice")
    return items


def some(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Refuse an empty list."""
    if not items:
        raise ValueError("must have at least one item")
    return items


def text(value: str) -> str:
    """Accept what prints on one line and is not empty."""
    if not value.strip() or not value.isprintable():
        raise ValueError("must be text of at least one printable character, without controls")
    return value


def word(value: str) -> str:
    """Accept a part of an API label: the log's readers split lines at what it must not hold."""
    if not value or not value.isprintable() or set(value) & set(" \"'`"):
        raise ValueError("must be text without spaces, quotes and control characters")
    return value


def optional_word(value: str) -> str:
    """Accept a word, or empty text for none."""
    return word(value) if value else value


def token(value: str) -> str:
    """Accept a token of RFC 9110: a method, or a header's name."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("must be letters, digits and any of !#$%&'*+-.^_`|~ (RFC 9110)")
    return value


def method(value: str) -> str:
    """Accept a method in upper case; methods are case-sensitive (RFC 9110 §9.1)."""
    if token(value) != value.upper():
        raise ValueError("must be a method in upper case, like GET")
    return value


def logged_header(value: str) -> str:
    """Accept a header that may be written to the log: none that carries a credential."""
    if token(value).lower().replace("_", "-") in CREDENTIAL_HEADERS:
        raise ValueError("carries credentials, which the log must never hold: name another header")
    return value


def answered_header(value: str) -> str:
    """Accept a header for the answers of the gateway; empty text is none."""
    if value and token(value).lower() in _MEANT_OTHERWISE:
        raise ValueError("must be a header without a meaning of its own, like activityid")
    return value


def scope(value: str) -> str:
    """Accept a scope token (RFC 6749 §3.3)."""
    if not _SCOPE.fullmatch(value):
        raise ValueError('must be visible ASCII characters without spaces, " and \\ (RFC 6749)')
    return value


def key_digest(value: str) -> str:
    """Return the stored form of an API key in lower case."""
    if not _KEY.fullmatch(value):
        raise ValueError('must be "sha256:" and 64 hex digits, as "gatewaylog keys new" prints it')
    return value.lower()


def network(value: object) -> Network:
    """Return a network of proxies; `unix` stands for every peer on a unix socket."""
    if value == "unix":
        return "unix"
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(value if isinstance(value, str) else "")
    except ValueError:
        hint = 'must be a network like "10.0.0.0/8" (no bits set after its prefix), an address'
        raise ValueError(f'{hint}, or "unix"') from None


def pem_certificates(value: str) -> str:
    """Accept the path of a readable file of PEM certificates; empty is none."""
    if value:
        certificates(value)
    return value


def certificates(path: str) -> str:
    """Return the file's text, with at least one certificate. Raises ValueError."""
    pem = readable(path).decode("latin-1")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise ValueError("must be a file of certificates in PEM form") from None
    return pem


def readable(path: str) -> bytes:
    """Return the file's content. Raises ValueError where it can't be read."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is no file name"
        raise ValueError(f"must be a file that can be read: {why}") from None


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(size)]
OptionalSize = Annotated[int, BeforeValidator(size_or_none)]
Text = Annotated[str, AfterValidator(text)]
Word = Annotated[str, AfterValidator(word)]
OptionalWord = Annotated[str, AfterValidator(optional_word)]
Method = Annotated[str, AfterValidator(method)]
HeaderName = Annotated[str, AfterValidator(token)]
LoggedHeader = Annotated[str, AfterValidator(logged_header)]
Scope = Annotated[str, AfterValidator(scope)]
KeyDigest = Annotated[str, AfterValidator(key_digest)]
CertificateFile = Annotated[str, AfterValidator(pem_certificates)]
