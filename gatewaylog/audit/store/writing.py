"""Rows written in one transaction with the checkpoint, each once however often they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gatewaylog.audit.store.clients import Clients
    from gatewaylog.audit.store.rows import Rows

WITHOUT_TABLES = "gatewaylog tokens init makes the tables"


class NotNow(Exception):
    """The database is down, full, locked or too slow: it may take the rows later."""


class NeverSo(Exception):
    """The database will not take these rows, or one of them."""


class Wrong(Exception):
    """Nothing is taken until somebody changes something: no tables, no permission."""


class Writer(Protocol):
    """Writes to one kind of database. `most` is how many lines one transaction may bring."""

    most: int

    def write(self, rows: Rows, clients: Clients) -> None:
        """Write all or nothing. Raises NotNow, NeverSo, Wrong."""

    def close(self) -> None:
        """Let go of the connection. Never raises."""
