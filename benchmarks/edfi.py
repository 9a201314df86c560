"""What the trigger of `tokens edfi` adds to a login at an Ed-Fi ODS/API on PostgreSQL.

    python benchmarks/edfi.py [--pairs 40] [--logins 100]

Two databases of one server, one with the trigger; rounds of logins, each a transaction of its own,
are measured in turns. Ed-Fi logs in by its procedure createclientaccesstoken, not prepared; a bare
INSERT and a prepared one show more of the trigger. Exits 1 where it costs 1.5 times or more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent.parent))

from gatewaylog.audit.edfi import Installation
from tests.audit.conftest import postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

    Session = psycopg.Connection[tuple[object, ...]]

_SCHEMA = Path(__file__).parent.parent / "tests/audit/edfi/edfi_admin.sql"
_ENDS = "(now() AT TIME ZONE 'utc' + interval '30 minutes')::timestamp"
_INSERT = (
    "INSERT INTO dbo.clientaccesstokens (id, expiration, scope, apiclient_apiclientid)"
    f" VALUES (%s, {_ENDS}, NULL, 1)"
)
_CALL = f"CALL dbo.createclientaccesstoken(%s, {_ENDS}, NULL, 1, 0)"
_ED_FIS = "Ed-Fi's own procedure"
_WAYS = {
    _ED_FIS: (_CALL, False),
    "a bare INSERT": (_INSERT, False),
    "a bare INSERT, prepared": (_INSERT, True),
}
_MOST = 1.5


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=40)
    options.add_argument("--logins", type=int, default=100)
    chosen = options.parse_args()
    try:
        with server() as url, database(url, "without") as without, database(url, "with") as other:
            Installation(other).install()
            return run(without, other, chosen.pairs, chosen.logins)
    except pytest.skip.Exception as missing:
        print(missing)
        return 2


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL of the tests' own, without fsync: what a disk takes would hide the trigger."""
    yield from postgresql.__wrapped__()


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    with psycopg.connect(_of_psycopg(url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    made = sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(_of_psycopg(made), autocommit=True) as connection:
        connection.execute(_SCHEMA.read_text())
    yield made


def _of_psycopg(url: str) -> str:
    return url.replace("+psycopg", "")


def run(without: str, other: str, pairs: int, logins: int) -> int:
    with (
        psycopg.connect(_of_psycopg(without), autocommit=True) as bare,
        psycopg.connect(_of_psycopg(other), autocommit=True) as triggered,
    ):
        medians = {way: compared(way, bare, triggered, pairs, logins) for way in _WAYS}
        count = triggered.execute("SELECT count(*) FROM gatewaylog.clientaccesstokenlogs")
        logged = (count.fetchone() or (0,))[0]
    wanted = len(_WAYS) * (pairs + 1) * logins
    print(f"{logged} logins logged of {wanted}")
    return 0 if medians[_ED_FIS] < _MOST and logged == wanted else 1


def compared(way: str, bare: Session, triggered: Session, pairs: int, logins: int) -> float:
    """Print what a login takes on both sides; return the median of the pairs' ratios."""
    took(way, bare, logins), took(way, triggered, logins)  # plans are made, tables are warm
    seconds = [(took(way, bare, logins), took(way, triggered, logins)) for _ in range(pairs)]
    ratios = sorted(two / one for one, two in seconds)
    median = statistics.median(ratios)
    one, two = (statistics.median(side) / logins * 1e6 for side in zip(*seconds, strict=True))
    quarter = len(ratios) // 4
    middle = f"{ratios[quarter]:.2f} to {ratios[-1 - quarter]:.2f}"
    print(f"{way:<28}{one:.0f} µs, with the trigger {two:.0f} µs: {median:.2f} ({middle})")
    return median


def took(way: str, session: Session, logins: int) -> float:
    statement, prepared = _WAYS[way]
    tokens = [uuid.uuid4() for _ in range(logins)]
    began = time.perf_counter()
    for token in tokens:
        session.execute(statement, (token,), prepare=prepared)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
