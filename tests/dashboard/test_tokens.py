"""The page's section of token use: what the verbs tell, asked seldom, in time, and when wanted."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from gatewaylog.audit.edfi import Installation
from gatewaylog.dashboard import tokens
from gatewaylog.dashboard.apart import Apart
from gatewaylog.dashboard.logs import Logs
from gatewaylog.dashboard.token_use import QUERIES, RULES, Store
from gatewaylog.dashboard.tokens import Tokens
from tests.audit.queries.conftest import add
from tests.cli.processes import gatewaylog
from tests.dashboard.served import served, until
from tests.reader.logs import encoded, incoming, write
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

SECOND = timedelta(seconds=1)


def whole(told: dict[str, Any]) -> bool:
    return bool(told.get("failed")) or ("at" in told and "findings" in told)


async def asked(store: Store) -> dict[str, Any]:
    """What is told once everything was answered."""
    room = Tokens(store)
    told: dict[str, Any] = {}

    def is_whole() -> bool:
        told.update(room.told())
        return whole(told)

    await until(is_whole)
    room.end()
    json.dumps(told)  # is what is done with it
    return told


def fill(url: str) -> datetime:
    """120 accesses of one client within minutes, one of nobody, refusals before a success."""
    now = datetime.now(UTC)
    shop = {"vendor_name": "Acme", "application_name": "shop", "api_client_key": "key:0a1b2c3d"}
    rows: list[dict[str, Any]] = [
        shop | {"access_time": now - n * SECOND, "token_ref": f"{n % 7:032x}"} for n in range(120)
    ]
    rows.append({"access_time": now - timedelta(days=2)})
    begin = now - timedelta(hours=3)
    guess = {"status_code": 401, "remote_ip": "192.0.2.1"}
    rows += [guess | {"access_time": begin + n * SECOND} for n in range(25)]
    good = guess | {"status_code": 200, "application_name": "guesser", "message_id": "urn:good"}
    rows.append(good | {"access_time": begin + 26 * SECOND})
    add(url, rows)
    return now


async def test_what_the_verbs_tell_is_told(store: str) -> None:
    fill(store)
    told = await asked(Store(url=store))
    assert told["failed"] is None
    (vendors,) = (row for row in told["vendors"]["rows"] if row["vendor_name"] == "Acme")
    assert (vendors["access_count"], vendors["unique_tokens"]) == (120, 7)
    (often,) = told["often"]["rows"]
    assert (often["api_client_key"], often["access_count"]) == ("key:0a1b2c3d", 120)
    (finding,) = told["findings"]["rows"]
    assert (finding["rule"], finding["client"], finding["id"]) == ("R06", "guesser", "urn:good")
    assert (finding["severity"], told["findings"]["total"]) == ("high", 1)
    by_verb = gatewaylog("tokens", "vendors", "--database", store).stdout
    verbs = [json.loads(line) for line in by_verb.splitlines()]
    counts = [(row.get("vendor_name"), row["access_count"]) for row in verbs]
    shown = [(row["vendor_name"], row["access_count"]) for row in told["vendors"]["rows"]]
    assert shown == counts == [("Acme", 120), (None, 26)]


async def test_the_hours_of_a_week_and_this_one_are_charted(store: str) -> None:
    now = fill(store)
    add(store, [{"access_time": now + timedelta(days=400)}])  # a clock that was wrong
    charts = (await asked(Store(url=store)))["timeline"]
    for by, name in (("vendor", "Acme"), ("client", "Acme / shop / key:0a1b2c3d")):
        sums = {series["name"]: sum(series["counts"]) for series in charts[by]["series"]}
        assert sums[name] == 120
        assert sum(sums.values()) == 147
        assert {len(series["counts"]) for series in charts[by]["series"]} == {7 * 24 + 1}
    last = charts["vendor"]["start"] + 7 * 24 * 3600
    assert last <= datetime.now(UTC).timestamp() < last + 2 * 3600


async def test_more_than_a_page_shows_is_cut_and_said(store: str) -> None:
    now = datetime.now(UTC)
    add(store, [{"access_time": now, "vendor_name": f"v{n}" * 900} for n in range(210)])
    vendors = (await asked(Store(url=store)))["vendors"]
    assert (len(vendors["rows"]), vendors["more"]) == (200, True)
    assert max(len(row["vendor_name"]) for row in vendors["rows"]) == 2001


async def test_rules_have_the_thresholds_of_the_configuration(store: str) -> None:
    fill(store)
    told = await asked(Store(url=store, rules={"thresholds": {"R06": {"refusals": 26}}}))
    assert told["findings"]["rows"] == []
    wrong = await asked(Store(url=store, rules={"thresholds": {"R06": {"nonsense": 26}}}))
    assert wrong["failed"] is None
    assert "R06 has no such threshold" in wrong["findings"]["failed"]
    places = await asked(Store(url=store, geoip="/nowhere.mmdb"))
    assert "/nowhere.mmdb" in places["findings"]["failed"]


async def test_a_log_of_eds_trigger_is_told_without_rules(edfi: str) -> None:
    Installation(edfi).install()
    told = await asked(Store(url=edfi))
    assert told["failed"] is None
    assert "logins alone" in told["findings"]["failed"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:////nowhere/use.db", "No such file or directory"),
        ("postgresql://reader:secret@127.0.0.1:1/use", "refused"),
        ("postgresql://host:port/use", "can't be read"),
    ],
)
async def test_a_store_that_cant_be_asked_is_told_of_without_its_password(
    url: str, why: str
) -> None:
    told = await asked(Store(url=url))
    assert why in told["failed"]
    assert "secret" not in json.dumps(told)


async def test_a_store_without_tables_tells_how_they_are_made(empty_postgresql: str) -> None:
    told = await asked(Store(url=empty_postgresql))
    assert "tokens init" in told["failed"]


async def test_a_store_that_comes_back_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_EVERY", 0.01)
    monkeypatch.setattr(tokens, "_SHARE", 0)
    url = f"sqlite:///{tmp_path}/use.db"
    room = Tokens(Store(url=url))
    await until(lambda: room.told().get("failed"))
    gatewaylog("tokens", "init", "--database", url)
    fill(url)
    await until(lambda: "vendors" in (told := room.told()) and not told["failed"])
    room.end()


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often what was asked."""
    count: Counter[str] = Counter()
    told = Apart.told

    def counted(self: Apart, work: Any, *given: Any) -> AsyncGenerator[dict[str, object], None]:
        count[given[1]] += 1
        return told(self, work, *given)

    monkeypatch.setattr(Apart, "told", counted)
    return count


async def test_many_pages_ask_once(store: str, tmp_path: Path, asking: Counter[str]) -> None:
    fill(store)
    log = write(tmp_path / "api.log", encoded(incoming(1)))
    async with served(Logs.of([str(log)]), Store(url=store)) as client:
        async with client.stream("GET", "/stream") as stream:
            async for line in stream.aiter_lines():
                if line == "event: figures":
                    break
        assert asking == {}  # a page that does not show the section asks nothing
        last: list[dict[str, Any]] = [{}]

        async def ask() -> None:
            last.append((await client.get("/tokens")).json())

        async with asyncio.timeout(PATIENCE):
            while not whole(last[-1]):
                await asyncio.gather(*(ask() for _ in range(20)))
        await asyncio.gather(*(ask() for _ in range(20)))
        assert asking == {QUERIES: 1, RULES: 1}
        assert 0 < last[-1]["wait"] <= PATIENCE * 10


async def test_what_takes_too_long_is_ended_and_told_as_late(
    empty_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gatewaylog("tokens", "init", "--database", empty_postgresql)
    monkeypatch.setattr(tokens, "LIMITS", {QUERIES: 3.0, RULES: 3.0})
    engine = sa.create_engine(empty_postgresql)
    with engine.begin() as holding:
        holding.execute(sa.text("LOCK gatewaylog.client_access_token_logs"))
        told = await asked(Store(url=empty_postgresql))
    engine.dispose()
    assert "longer than 3 s" in told["failed"] or "timeout" in told["failed"]
    await until(
        lambda: not [one for one in multiprocessing.active_children() if one.name == "asking"]
    )


async def test_a_process_that_dies_is_told_of(
    empty_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gatewaylog("tokens", "init", "--database", empty_postgresql)
    engine = sa.create_engine(empty_postgresql)
    room = Tokens(Store(url=empty_postgresql))
    with engine.begin() as holding:
        holding.execute(sa.text("LOCK gatewaylog.client_access_token_logs"))
        room.told()
        await until(
            lambda: [one for one in multiprocessing.active_children() if one.name == "asking"]
        )
        for one in multiprocessing.active_children():
            if one.name == "asking":
                one.kill()
        await until(lambda: room.told().get("failed"))
    engine.dispose()
    assert room.told()["failed"] == "the asking ended without an answer"
    room.end()


async def test_nothing_is_asked_after_the_end(store: str) -> None:
    room = Tokens(Store(url=store))
    room.end()
    await until(lambda: room.told().get("failed"))
    assert not [one for one in multiprocessing.active_children() if one.name == "asking"]


async def test_what_is_not_installed_is_named_with_its_extra(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sqlalchemy.py").write_text('raise ModuleNotFoundError("no", name="sqlalchemy")\n')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    told = await asked(Store(url=store))
    assert told["failed"] == "sqlalchemy is not installed: pip install 'gatewaylog[database]'"


async def test_without_a_store_there_is_nothing_to_ask(tmp_path: Path) -> None:
    log = write(tmp_path / "api.log", encoded(incoming(1)))
    async with served(Logs.of([str(log)])) as client:
        assert (await client.get("/tokens")).json() == {"failed": "", "wait": None}
        elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
        assert (await client.get("/tokens", headers=elsewhere)).status_code == 403
        assert (await client.post("/tokens")).status_code == 405
