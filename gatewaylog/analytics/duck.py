"""DuckDB, set up so that it reads and writes the files it is told, and nothing else."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from gatewaylog.exceptions import GatewaylogError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

_MEMORY = "512MB"  # more than a part's rows take; what needs more is left to our own engine


class ExtraMissing(GatewaylogError):
    """What was asked for needs DuckDB, which is not installed."""


def is_installed() -> bool:
    """Tell whether DuckDB can be imported, without doing so."""
    return importlib.util.find_spec("duckdb") is not None


def asked(
    statement: str, values: Mapping[str, object] | None = None, *, ordered: bool = False
) -> duckdb.DuckDBPyConnection:
    """Execute a statement; return what its rows are fetched from. Raises ExtraMissing.

    `ordered`: what is written has the order of what is read, which takes longer.
    """
    cursor = _connected(ordered=ordered).cursor()
    cursor.execute("SET enable_progress_bar = false")  # on standard output, and of each cursor
    return cursor.execute(statement, dict(values or {}))


@lru_cache(maxsize=2)
def _connected(*, ordered: bool) -> duckdb.DuckDBPyConnection:
    """Return this process's connection. Raises ExtraMissing.

    A process of several that share a search computes on one processor, any other on all.
    """
    try:
        import duckdb
    except ImportError:
        message = "this needs DuckDB: pip install 'gatewaylog[analytics]'"
        raise ExtraMissing(message) from None
    alone = multiprocessing.parent_process() is None
    return duckdb.connect(
        config={
            "threads": str((os.cpu_count() or 1) if alone else 1),
            "memory_limit": _MEMORY,
            "temp_directory": "",  # what does not fit is not spilled into the current folder
            "preserve_insertion_order": str(ordered),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
