"""Charts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.output import tables

if TYPE_CHECKING:
    from gatewaylog.cli.output.screen import Screen
    from gatewaylog.search import Result


def show(result: Result, screen: Screen) -> None:
    """Print."""
    tables.show(result, screen)
