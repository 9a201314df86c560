"""What a delivery is told: by options of the command line, or by `[[ship]]`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.options import OPTIONS, check

if TYPE_CHECKING:
    from gatewaylog.ship.destination import Destination

DESTINATIONS = tuple(OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where lines go, and how. Empty text is none; `timeout` is seconds an answer may take.

    `ca` is a file of certificates that are trusted instead of the system's. `job` and `host` name
    this gateway at the destination; `tenant` is Loki's, `index` Splunk's, `table` ClickHouse's,
    `clients` a database's: what `audit.store.clients.Known` made of the configuration.
    """

    to: str
    url: str = ""
    command: tuple[str, ...] = ()
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: str = ""
    timeout: float = 30.0
    job: str = "gatewaylog"
    host: str = ""
    tenant: str = ""
    index: str = ""
    table: str = ""
    clients: str = field(default="", repr=False)


def destination_of(settings: Settings) -> Destination:
    """Return the destination; nothing is sent yet. Raises ShipError for what does not fit."""
    if settings.to not in DESTINATIONS:
        raise ShipError(f"there is no destination {settings.to!r}: {', '.join(DESTINATIONS)}")
    check(settings)
    try:
        module = importlib.import_module(f"gatewaylog.ship.{settings.to}")
        return cast("Destination", module.made(settings))
    except ModuleNotFoundError as error:
        extra = settings.to if settings.to in {"database", "otlp"} else "ship"
        raise ShipError(
            f"{settings.to} needs {error.name}, which is not installed:"
            f" pip install 'gatewaylog[{extra}]'"
        ) from None
