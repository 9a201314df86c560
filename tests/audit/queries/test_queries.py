"""Each query gives what the guide's own SQL gives on PostgreSQL over the same rows."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.audit.edfi import Installation
from gatewaylog.audit.queries.asking import STORE, Asking, rows_of
from gatewaylog.audit.queries.statements import USUAL, Name, Window, statement
from gatewaylog.audit.store.install import install
from tests.audit.edfi.conftest import connected
from tests.audit.edfi.test_installing import GUIDES_QUERIES, GUIDES_TABLE
from tests.audit.edfi.test_trigger import logs_in
from tests.audit.queries.conftest import add

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES: tuple[Name, ...] = ("log", "vendors", "suspicious", "timeline")
GUIDES = dict(zip(NAMES, GUIDES_QUERIES, strict=False))
# What the guide's queries order by; among rows that are alike in it any order will do.
ORDERED = {
    "log": ("vendorname", "applicationname", "accesstime"),
    "vendors": ("accesscount",),
    "suspicious": ("accesscount",),
    "timeline": ("accesshour", "accesscount"),
}
SEEDS = (
    *("log_id", "token_ref", "access_time", "api_client_id", "api_client_key"),
    *("application_id", "application_name", "vendor_id", "vendor_name"),
)
TEXTS = (
    None,
    "",
    "Zürich",
    "zebra",
    "Zebra",
    "ähnlich",
    "Ωmega",
    "日本",
    "a'b\"c",
    "%s {x} \\",
    "_",
)
FAR = timedelta(minutes=10)  # more than a test takes


def odd_times(now: datetime) -> list[datetime]:
    hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    windows = (timedelta(hours=1), timedelta(hours=24), timedelta(days=7))
    return [
        *(now - window + FAR for window in windows),
        *(now - window - FAR for window in windows),
        hour,  # an hour's first moment, and one's last
        hour - timedelta(microseconds=1),
        now + FAR,  # of a clock that is ahead
        datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
        datetime(2025, 3, 30, 1, 0, 0, tzinfo=UTC),  # where Europe's clocks are put forward
        datetime(1999, 12, 31, 23, 0, 0, 1, tzinfo=UTC),
    ]


def rows(seed: int) -> list[dict[str, Any]]:
    some = random.Random(seed)
    refs = [uuid.UUID(int=some.getrandbits(128)).hex for _ in range(20)]
    now = datetime.now(UTC)
    times = odd_times(now)
    times += [now - timedelta(hours=some.choice((2, 30, 60, 9 * 24))) for _ in range(150)]
    times += [now - timedelta(seconds=some.uniform(1, 1700)) for _ in range(450)]
    clients = [
        (some.choice(TEXTS), some.choice(TEXTS), some.choice([None, "key:0a1b2c3d", "client-é"]))
        for _ in range(9)
    ]
    made: list[dict[str, Any]] = []
    for at, moment in enumerate(times):
        vendor, application, key = some.choice(clients if at < 200 else clients[:3])
        made.append(
            {
                "access_time": moment,
                "token_ref": some.choice(refs),
                "vendor_name": vendor,
                "application_name": application,
                "api_client_key": key,
                "vendor_id": some.choice([None, 1, 2]),
                "application_id": some.choice([None, 7]),
                "api_client_id": some.choice([None, 2**31 - 1]),
            }
        )
    made += [dict(row) for row in some.sample(made, 30)]  # ties in everything but the number
    return made


def guides_answer(url: str, made: list[dict[str, Any]], query: str) -> list[dict[str, Any]]:
    """What the guide's SQL gives over the rows in the guide's table, which may hold nulls here."""
    with connected(url) as session:
        session.execute("SET timezone = 'UTC'")
        session.execute("CREATE SCHEMA IF NOT EXISTS dbo")
        session.execute(GUIDES_TABLE)
        for name in SEEDS[3:]:
            column = name.replace("_", "")
            session.execute(f"ALTER TABLE dbo.clientaccesstokenlogs ALTER {column} DROP NOT NULL")
        names = [name for name in SEEDS if name != "log_id"]
        columns = ", ".join("tokenid" if n == "token_ref" else n.replace("_", "") for n in names)
        with session.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO dbo.clientaccesstokenlogs ({columns})"
                f" VALUES ({', '.join(['%s'] * len(names))})",
                [[_guides(name, row.get(name)) for name in names] for row in made],
            )
            cursor.execute(query)
            heads = [head.name for head in cursor.description or ()]
            return [dict(zip(heads, row, strict=True)) for row in cursor]


def _guides(name: str, value: Any) -> Any:
    if name == "token_ref":
        return uuid.UUID(value)
    return value.replace(tzinfo=None) if name == "access_time" else value


def our_answer(url: str, name: Name, window: Window, threshold: int = 100) -> list[dict[str, Any]]:
    """What our query gives, in the guide's words."""
    asking = Asking(url)
    with asking.reading() as connection:
        sql = statement(name, asking.table(connection), window, threshold=threshold)
        return [
            {
                "tokenid" if key == "token_ref" else key.replace("_", ""): _ours(key, value)
                for key, value in row.items()
                if name != "log" or key in SEEDS
            }
            for row in rows_of(connection, sql)
        ]


def _ours(key: str, value: Any) -> Any:
    if key == "token_ref":
        return uuid.UUID(value)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def assert_same(name: Name, ours: list[dict[str, Any]], guides: list[dict[str, Any]]) -> None:
    """The same rows, in the order that the guide's query asks for; ties in any order."""
    numbers = {"logid"}  # each table counts its own
    assert sorted(map(str, _without(ours, numbers))) == sorted(map(str, _without(guides, numbers)))
    keys = ORDERED[name]
    assert [[row[key] for key in keys] for row in ours] == [
        [row[key] for key in keys] for row in guides
    ]


def _without(found: Iterable[dict[str, Any]], names: set[str]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in sorted(row) if key not in names} for row in found]


@pytest.mark.parametrize("seed", [1, 2])
def test_each_query_gives_what_the_guides_own_gives(
    store: str, guides_postgresql: str, seed: int
) -> None:
    made = rows(seed)
    add(store, made)
    for name in NAMES:
        guides = guides_answer(guides_postgresql, made, GUIDES[name])
        with connected(guides_postgresql) as session:
            session.execute("DROP TABLE dbo.clientaccesstokenlogs")
        assert_same(name, our_answer(store, name, Window(last=USUAL[name])), guides)
        assert guides, f"{name} is tried over rows that give something"


def test_a_moment_and_a_threshold_take_the_place_of_the_guides(
    store: str, guides_postgresql: str
) -> None:
    made = rows(3)
    add(store, made)
    since = sorted(row["access_time"] for row in made)[100]  # a row's own moment, which is in it
    window = Window(earliest=since.timestamp())
    query = GUIDES["suspicious"].replace(
        "CURRENT_TIMESTAMP - INTERVAL '1 hour'", f"'{since:%F %T.%f}'"
    )
    everybody = our_answer(store, "suspicious", window, 0)
    for threshold in {row["accesscount"] for row in everybody} | {0}:  # who is at it is not over it
        guides = guides_answer(guides_postgresql, made, query.replace("> 100", f"> {threshold}"))
        with connected(guides_postgresql) as session:
            session.execute("DROP TABLE dbo.clientaccesstokenlogs")
        assert_same("suspicious", our_answer(store, "suspicious", window, threshold), guides)


def test_the_last_moment_of_a_window_is_not_in_it(store: str) -> None:
    times = odd_times(datetime.now(UTC))
    add(store, [{"access_time": at} for at in times])
    latest = times[6]
    found = our_answer(store, "log", Window(latest=latest.timestamp()))
    assert len(found) == sum(at < latest for at in times)


def test_the_order_of_ties_is_the_same_on_both_databases(store: str) -> None:
    add(store, rows(4))
    found = our_answer(store, "vendors", Window())
    counts = [(-row["accesscount"], row["vendorname"] is None) for row in found]
    assert counts == sorted(counts)
    names = [row["vendorname"] for row in our_answer(store, "log", Window())]
    known = [name for name in names if name is not None]
    assert known == sorted(known)
    assert names == known + [None] * (len(names) - len(known))


def test_the_log_of_ed_fis_trigger_is_asked_where_there_is_no_store(edfi: str) -> None:
    Installation(edfi).install()
    with connected(edfi) as session:
        for client in (1, 3, 6):
            logs_in(session, client)
    vendors = our_answer(edfi, "vendors", Window(last=USUAL["vendors"]))
    assert [row["vendorname"] for row in vendors] == [
        *("Grand Bend Assessments", "Northridge SIS", None)
    ]
    assert len(our_answer(edfi, "log", Window())) == 3
    assert len(our_answer(edfi, "timeline", Window(last=USUAL["timeline"]))) >= 3


def test_the_sql_that_is_shown_tells_hours_of_utc_whatever_the_sessions_zone(
    empty_postgresql: str,
) -> None:
    install(empty_postgresql)
    add(empty_postgresql, rows(5))
    with connected(empty_postgresql) as session:
        assert session.execute("SHOW timezone").fetchone() == ("Asia/Kolkata",)
        sql = statement("timeline", STORE["postgresql"], Window())
        hours: list[Any] = [row[0] for row in session.execute(sql)]
    assert {hour.astimezone(UTC).minute for hour in hours} == {0}


@pytest.mark.parametrize("seconds", [1e18, -1e18, float("inf")])
def test_a_moment_that_no_database_knows_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"out of range|year"):
        statement("log", STORE["sqlite"], Window(earliest=seconds))
