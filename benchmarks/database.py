"""The store of token use: rows a second into SQLite and PostgreSQL by the real shipper, and how
long it takes to prune 10 million of them on PostgreSQL.

python benchmarks/database.py [--lines 200000] [--rows 10000000]

PostgreSQL is one of its own, without fsync, on this machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from search_log import events
from ship import shipped

from gatewaylog.audit.store.engine import engine_at
from gatewaylog.audit.store.install import install
from gatewaylog.audit.store.retention import drop_before
from gatewaylog.events import IncomingRequest
from gatewaylog.formats import LineOptions, Wso2Format

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.postgresql import cluster

_CLIENTS = 200
_FILL = """
INSERT INTO gatewaylog.client_access_token_logs (token_ref, access_time, api_client_key,
    application_name, vendor_name, api, method, request_url, status_code, remote_ip, message_id,
    outcome, duration_ms)
SELECT md5((n % 5000)::text), '2024-01-01'::timestamptz + n * interval '0.25 seconds',
    'client-' || n % 200, 'Portal', 'Acme', 'acme--Orders:v1', 'GET', '/orders/' || n, 200,
    '10.0.0.1', 'urn:uuid:' || gen_random_uuid(), 'complete', 12.5
FROM generate_series(1, :rows) AS n"""


def write(path: Path, count: int) -> int:
    """Write a log of calls with credentials; return how many of its lines are their use."""
    form, uses = Wso2Format(LineOptions()), 0
    with path.open("wb") as log:
        for at, (moment, event) in enumerate(events(count)):
            told = event
            if not isinstance(event, IncomingRequest):
                told = event._replace(token_ref=f"{at % _CLIENTS:032x}")
                uses += 1
            log.write(form.encode(told, moment, "1-MainThread"))
    return uses


def delivered(log: Path, uses: int, lines: int, url: str, state: Path) -> str:
    install(url)
    wall, spent, memory = shipped(log, ["--to", "database", "--url", url], state)
    schema = "" if url.startswith("sqlite") else "gatewaylog."
    assert value(url, f"SELECT count(*) FROM {schema}client_access_token_logs") == uses
    rates = f"{uses / wall:,.0f} | {lines / wall:,.0f} | {lines / spent:,.0f}"
    return f"{rates} | {memory:.0f} MB"


def value(url: str, statement: str, **values: object) -> object:
    engine = engine_at(url)
    with engine.begin() as connection:
        found = connection.execute(sa.text(statement), values)
        told = found.scalar_one() if found.returns_rows else None
    engine.dispose()
    return told


def pruned(url: str, rows: int) -> None:
    """Fill a month and the begin of the next, and drop the month."""
    install(url)
    for month in ("2024-01-15", "2024-02-15"):
        value(url, "SELECT gatewaylog.ensure_partition(:month)", month=month)
    began = time.monotonic()
    value(url, _FILL, rows=rows)
    print(f"\nfilled with {rows:,} rows in {time.monotonic() - began:,.0f} s")
    there = value(url, "SELECT count(*) FROM gatewaylog.client_access_token_logs_p20240101")
    value(url, "CHECKPOINT")
    forget(Path(str(value(url, "SHOW data_directory"))))
    began = time.monotonic()
    dropped = drop_before(url, datetime(2024, 2, 1, tzinfo=UTC))
    took = time.monotonic() - began
    size = max(found.size or 0 for found in dropped)
    print(f"dropped {there:,} of them, {size / 1e6:,.0f} MB, in {took:.3f} s")


def forget(folder: Path) -> None:
    """Have the system write what it holds of the files, and keep it in memory no longer: what is
    old enough to be pruned was written long ago. Cached, their pages cost more than the rest.
    """
    os.sync()
    for path in folder.rglob("base/*/*"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, cluster() as server:
        log = Path(folder) / "api-access.log"
        uses = write(log, options.lines)
        print("| to | rows/s | lines/s | lines/CPU-s | peak memory |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for name, url in (
            ("SQLite", f"sqlite:///{folder}/store.db"),
            ("PostgreSQL", server.url()),
        ):
            seen = delivered(log, uses, options.lines, url, Path(folder) / name)
            print(f"| {name} | {seen} |", flush=True)
        with server.fresh() as database:
            pruned(server.url(database), options.rows)


if __name__ == "__main__":
    main()
