"""A ClickHouse that tests ask: chdb behind HTTP, in a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from gatewaylog.search import row_reader
from gatewaylog.search.clickhouse_table import DDL, TABLE, can_hold, record_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SERVER = Path(__file__).with_name("chdb_server.py")


class RunningClickHouse:
    """A ClickHouse with the database `gatewaylog`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._tables = 0
        self.run("CREATE DATABASE IF NOT EXISTS gatewaylog")

    def run(self, sql: str, body: bytes = b"") -> bytes:
        """What a statement gives."""
        request = urllib.request.Request(f"{self.url}/?query={quote(sql)}", body, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: bytes = answer.read()
        return found

    def asked(self) -> list[str]:
        """The statements since this was called last."""
        with urllib.request.urlopen(f"{self.url}/seen", timeout=60) as answer:
            found: list[str] = answer.read().decode().split("\n")
        return found

    def table_of(self, lines: Iterable[bytes]) -> str:
        """Make a table that holds these lines, oldest first; return its name."""
        self._tables += 1
        table = f"gatewaylog.events_{self._tables}"
        self.run(DDL.replace(TABLE, table))
        rows = [row for row in map(row_reader(), lines) if row and can_hold(row)]
        records = [record_of(row, position) for position, row in enumerate(rows)]
        if records:
            self.run(f"INSERT INTO {table} FORMAT JSONEachRow", b"".join(records))
        return table

    def drop(self, table: str) -> None:
        self.run(f"DROP TABLE {table} SYNC")


@contextlib.contextmanager
def clickhouse() -> Iterator[RunningClickHouse]:
    """Start it; the test is skipped where chdb does not install."""
    if importlib.util.find_spec("chdb") is None:
        pytest.skip("NOT TESTED: search --engine clickhouse, as chdb is not installed here")
    with subprocess.Popen(
        [sys.executable, str(_SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = process.stdout.readline().decode().strip()
        assert port, "chdb's server did not begin"
        try:
            yield RunningClickHouse(f"http://127.0.0.1:{port}")
        finally:
            process.stdin.close()
            process.wait(60)
