"""Who calls, by the configuration: what `ship --to database` writes beside each use of a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewaylog.cli import logs
from gatewaylog.cli.tokens.database import configured_url
from gatewaylog.exceptions import ConfigurationError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from pathlib import Path


def clients_of(options: Namespace) -> str:
    """Return what `Settings.clients` takes. Without a configuration the tokens are looked for where
    the rows go, and no application is known. Raises ConfigurationError and WrongCall.
    """
    from gatewaylog.audit.store.clients import Known

    file: Path = options.config or logs.CONFIGURATION
    if options.config is None and not file.exists():
        return Known(tokens=options.url).text()
    configured = logs.configured(options)
    applications = tuple(_application(one, file) for one in configured.applications)
    return Known(
        applications=applications,
        pseudonym_key=configured.pseudonym_key,
        tokens=configured_url(options),
    ).text()


def _application(told: Mapping[str, Any], file: Path) -> Any:
    from gatewaylog.audit.store.clients import Application

    def text(name: str) -> str:
        value = told.get(name, "")
        return logs.expanded(value, file, f"application.{name}") if value else ""

    keys = told.get("keys", [])
    if not isinstance(keys, list):
        raise ConfigurationError([f"{file}: application.keys: must be a list"])
    try:
        return Application(
            name=text("name"),
            vendor=text("vendor"),
            client_id=text("client_id"),
            keys=tuple(logs.expanded(key, file, "application.keys") for key in keys),
        )
    except ValueError as error:
        raise ConfigurationError([f"{file}: application.keys: {error}"]) from None
