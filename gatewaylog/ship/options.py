"""Which options each destination takes, and what their values may hold.

No message repeats a value: it may be a secret.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ShipError

if TYPE_CHECKING:
    from pathlib import Path

    from gatewaylog.ship.settings import Settings

OPTIONS = {
    "loki": ("url", "user", "password", "token", "ca", "timeout", "job", "tenant"),
    "splunk": ("url", "token", "ca", "timeout", "host", "index"),
    "otlp": ("url", "user", "password", "token", "ca", "timeout", "job", "host"),
    "syslog": ("url", "ca", "timeout", "job", "host"),
    "database": ("url", "user", "password", "timeout", "job", "host"),
    "clickhouse": ("url", "user", "password", "ca", "timeout", "job", "host", "table"),
    "command": ("command", "timeout"),
}
_OURS = {"to", "clients"}  # no options: made by who makes settings
_CREDENTIALS = {"loki", "otlp", "clickhouse"}  # that take HTTP's
_HEADERS = ("token", "tenant")  # are sent as they are, in the head of each request
_TEXTS = ("user", "password", "job", "host", "index", "table")
# RFC 9110 §5.5 allows more, which servers read in different ways.
_PRINTABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
PRINTABLE = "printable ASCII characters in one line"


def is_printable(text: str) -> bool:
    """Tell whether a header may hold this."""
    return bool(_PRINTABLE.fullmatch(text))


def check(settings: Settings) -> None:
    """Raise ShipError where an option is not the destination's, or holds what it must not."""
    _belong(settings)
    for name in _HEADERS:
        value = getattr(settings, name)
        if value and not is_printable(value):
            raise ShipError(f"{settings.to}: {name} must be {PRINTABLE}")
    for name in _TEXTS:
        if _CONTROL.search(getattr(settings, name)):
            raise ShipError(f"{settings.to}: {name} must be text without control characters")
    if not settings.job:
        raise ShipError(f"{settings.to}: job must not be empty: it is the name of the log there")
    if settings.to in _CREDENTIALS:
        _authenticate(settings)


def _belong(settings: Settings) -> None:
    taken = OPTIONS[settings.to]
    foreign = [
        field.name
        for field in fields(settings)
        if field.name not in taken
        and field.name not in _OURS
        and getattr(settings, field.name) != field.default
    ]
    if foreign:
        raise ShipError(
            f"{settings.to} takes no {', '.join(foreign)}: its options are {', '.join(taken)}"
        )


def _authenticate(settings: Settings) -> None:
    """See that credentials are whole, and of one kind: both would be one header."""
    to = settings.to
    if settings.user and settings.token:
        raise ShipError(f"{to}: user and token exclude each other: name one of them")
    if settings.password and not settings.user:
        raise ShipError(f"{to}: password needs user: whose it is")
    if settings.user and not settings.password and to != "clickhouse":  # it has users without
        raise ShipError(
            f"{to}: user needs a password: GATEWAYLOG_SHIP_PASSWORD, or a file that holds it"
        )
    if ":" in settings.user:
        raise ShipError(f'{to}: user must be text without ":" (RFC 7617 §2)')


def secret_in(file: Path, *, header: bool) -> str:
    """Return the one line of a file; with `header` it is for one, and so of printable ASCII.

    Raises ShipError, which names the file, and tells nothing of what stands there.
    """
    try:
        secret = file.read_bytes().decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ShipError(f"{file}: must hold one line of text in UTF-8") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is no file name"
        raise ShipError(f"{file}: can't be read: {why}") from None
    if header and not is_printable(secret):
        raise ShipError(f"{file}: must hold {PRINTABLE}, and nothing else")
    if not secret or _CONTROL.search(secret):
        raise ShipError(f"{file}: must hold one line without control characters, and nothing else")
    return secret
