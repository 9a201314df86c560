"""Throttling: every limit with its code, counts that are shared, and what a reload keeps."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.auth.redis_counts import RedisCounts
from gatewaylog.auth.throttle import Limit, LocalCounts, Throttle
from gatewaylog.exceptions import CountsError
from tests.auth.gateways import APPLICATIONS, KEY, RESOURCES, gateway
from tests.auth.test_jwt import told
from tests.http_client import PATIENCE, request
from tests.requirements import program
from tests.running import api, launched, running, toml
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from gatewaylog.auth.throttle import Counts
    from tests.http_client import Answer
    from tests.running import Running

WITH_KEY = b"X-API-Key: " + KEY.encode()
API = 'api = "acme--Echo:v1.0.0"\n'


def throttle(per: str, rate: str = "2/day", more: str = "") -> str:
    return f'[[throttle]]\nper = "{per}"\nrate = "{rate}"\n{more}\n'


@contextlib.asynccontextmanager
async def serving(folder: Path, *tables: str) -> AsyncIterator[Running]:
    async with StrictBackend() as backend, running(gateway(folder, backend.url, *tables)) as one:
        yield one


async def ask(served: Running, path: bytes = b"/echo/x", *lines: bytes) -> Answer:
    return await served.ask(request(path, *(lines or (WITH_KEY,))))


@pytest.mark.parametrize(
    ("table", "code", "message"),
    [
        (throttle("api"), "900800", "Message throttled out"),
        (throttle("api", more=API), "900800", "Message throttled out"),
        (throttle("resource"), "900802", "Resource level throttled out"),
        (
            throttle("resource", more=API + 'resource = "/*"'),
            "900802",
            "Resource level throttled out",
        ),
        (throttle("application"), "900803", "Application level throttled out"),
        (
            throttle("application", more='application = "mobile"'),
            "900803",
            "Application level throttled out",
        ),
        (throttle("subscription"), "900804", "Subscription level throttled out"),
        (
            throttle("subscription", more=API + 'application = "mobile"'),
            "900804",
            "Subscription level throttled out",
        ),
    ],
)
async def test_each_limit_has_its_code_and_its_event(
    tmp_path: Path, table: str, code: str, message: str
) -> None:
    async with serving(tmp_path, table) as served:
        for _ in range(2):
            assert told(await ask(served)) == (200, "")
        refused = await ask(served)
        assert told(refused) == (429, code)
        await served.ended(3)
    (error,) = served.log.errors()
    assert (error.error_source, error.error_code) == ("_throttle_out_handler_", code)
    assert (error.error_message, error.status_code) == (message, 429)
    assert error.application_name == "mobile"
    after = int(refused.value(b"retry-after") or 0)
    assert 43_000 < after <= 43_200
    assert refused.value(b"ratelimit-limit") == b"2"
    assert refused.value(b"ratelimit-remaining") == b"0"
    assert refused.value(b"ratelimit-reset") == b"%d" % after
    assert refused.value(b"ratelimit-policy") == b"2;w=86400;burst=2"


@pytest.mark.parametrize(
    "table",
    [
        throttle("resource", more=API + 'resource = "/scoped"'),
        throttle("application", more='application = "other"'),
        throttle("subscription", more='application = "other"'),
        throttle("api", "3/day"),
        throttle("api", "1/day", "burst = 3"),
    ],
)
async def test_a_limit_is_about_what_it_names_alone(tmp_path: Path, table: str) -> None:
    async with serving(tmp_path, table) as served:
        assert [(await ask(served)).status for _ in range(3)] == [200, 200, 200]


async def test_open_resources_are_counted_for_apis_and_resources_alone(tmp_path: Path) -> None:
    tables = throttle("application", "1/day"), throttle("subscription", "1/day")
    async with serving(tmp_path, *tables, throttle("resource")) as served:
        answers = [await ask(served, b"/echo/open", b"Accept: */*") for _ in range(3)]
        assert [told(answer) for answer in answers] == [(200, ""), (200, ""), (429, "900802")]
        assert told(await ask(served)) == (200, "")  # another resource
        assert told(await ask(served)) == (429, "900803")


async def test_a_refused_credential_counts_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, throttle("api", "1/day")) as served:
        assert told(await ask(served, b"/echo/x", b"X-API-Key: wrong")) == (401, "900901")
        assert told(await ask(served)) == (200, "")


async def test_a_reload_keeps_what_was_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, throttle("api")) as served:
        for _ in range(2):
            assert told(await ask(served)) == (200, "")
        served.text += throttle("application", "100/day")
        served.server._reload()
        assert told(await ask(served)) == (429, "900800")
        served.text = served.text.replace('rate = "2/day"', 'rate = "5/day"')
        served.server._reload()
        assert told(await ask(served)) == (200, "")


class Frozen:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    st.integers(1, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 120, allow_nan=False), max_size=80),
)
def test_no_time_has_more_calls_than_burst_and_rate_allow(
    amount: int, burst: int, pauses: list[float]
) -> None:
    """And a call that waits as long as it is told is admitted."""
    clock = Frozen()
    limit = Limit(per="api", amount=amount, seconds=60, burst=burst)
    throttle = Throttle([limit], LocalCounts(monotonic=clock), {}, monotonic=clock)

    async def calls() -> list[float]:
        admitted = []
        for pause in pauses:
            clock.now += pause
            exceeded = await throttle.admit("a", "/", None)
            if exceeded is not None:
                clock.now += exceeded.wait + 1e-5
                assert await throttle.admit("a", "/", None) is None
            admitted.append(clock.now)
        return admitted

    admitted = asyncio.run(calls())
    for at, first in enumerate(admitted):
        for count, last in enumerate(admitted[at:], 1):
            assert count <= burst + (last - first) * amount / 60 + 1e-3


async def test_a_call_that_one_limit_refuses_takes_nothing_from_others() -> None:
    clock = Frozen()
    limits = [
        Limit(per="application", amount=1, seconds=60, burst=1),
        Limit(per="api", amount=2, seconds=60, burst=2),
    ]
    throttle = Throttle(limits, LocalCounts(monotonic=clock), {}, monotonic=clock)
    assert await throttle.admit("a", "/", "one") is None
    for _ in range(5):
        exceeded = await throttle.admit("a", "/", "one")
        assert exceeded is not None
        assert exceeded.limit.per == "application"
    assert await throttle.admit("a", "/", "two") is None
    both = await throttle.admit("a", "/", "one")
    assert both is not None
    assert (both.limit.per, both.wait) == ("api", 60.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A real Redis, on a socket in the test's folder."""
    socket = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(
        [program("redis-server"), *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while "eady to accept connections" not in (line := process.stdout.readline()):
            assert line, "redis-server did not start"
        yield process
        process.send_signal(signal.SIGCONT)
        process.terminate()


@pytest.fixture
def redis(tmp_path: Path, server: subprocess.Popen[str]) -> str:
    """Its URL."""
    assert server.poll() is None
    return f"unix://{tmp_path}/redis.sock"


@pytest.fixture
def hung(server: subprocess.Popen[str]) -> Callable[[], None]:
    """What makes it hang."""
    return lambda: server.send_signal(signal.SIGSTOP)


def shared(url: str, **more: int) -> Throttle:
    options = {"amount": 5, "seconds": 86_400, "burst": 5} | more
    limit = Limit(per="api", store=url, **options)  # type: ignore[arg-type]
    return Throttle([limit], LocalCounts(), {url: RedisCounts(url)})


async def closed(*throttles: Throttle) -> None:
    for one in throttles:
        for store in one._stores.values():
            await store._counts.aclose()


async def test_processes_count_together_over_redis(redis: str) -> None:
    one, two = shared(redis), shared(redis)
    calls = [throttle.admit("a", "/", None) for _ in range(10) for throttle in (one, two)]
    answers = await asyncio.gather(*calls)
    assert sum(answer is None for answer in answers) == 5
    exceeded = next(answer for answer in answers if answer is not None)
    assert 17_000 < exceeded.wait <= 17_280
    assert await one.admit("other", "/", None) is None
    await closed(one, two)


async def test_the_counts_in_redis_end_by_themselves(redis: str) -> None:
    throttle = shared(redis, amount=100, seconds=1, burst=1)
    refused = 0
    started = time.monotonic()
    for _ in range(20):
        while (exceeded := await throttle.admit("a", "/", None)) is not None:
            refused += 1
            await asyncio.sleep(exceeded.wait)
    assert time.monotonic() - started > 0.18
    counts = RedisCounts(redis)
    await until_empty(counts)
    await counts.aclose()
    await closed(throttle)


async def until_empty(counts: RedisCounts) -> None:
    async with asyncio.timeout(10):
        while await counts._redis.dbsize():
            await asyncio.sleep(0.01)


@pytest.mark.system
async def test_workers_throttle_together_over_redis(tmp_path: Path, redis: str) -> None:
    limit = throttle("application", "3/day", f'store = "{redis}"')
    async with StrictBackend() as backend:
        echo = api(backend.url, auth="required", more=RESOURCES)
        text = toml(tmp_path, APPLICATIONS, limit, echo, server="workers = 3")
        async with launched(tmp_path, text) as gateway:
            statuses: list[int] = []
            async with asyncio.timeout(PATIENCE):
                while len(statuses) < 20 or _workers(gateway.log.raw()) < 2:
                    answer = await gateway.ask(request(b"/echo/x", WITH_KEY))
                    statuses.append(answer.status)
            assert await gateway.stop() == 0
    assert statuses == [200] * 3 + [429] * (len(statuses) - 3)


def _workers(raw: bytes) -> int:
    return len(set(re.findall(rb'Writer="([0-9a-f]{16})"', raw)))


async def test_without_redis_a_process_counts_by_itself(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    limit = throttle("api", more='store = "redis://:s3cret@127.0.0.1:1/0"')
    async with serving(tmp_path, limit) as served:
        answers = [await ask(served) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
    said = capfd.readouterr().err
    assert said.count("throttle.store: ConnectionError; each process counts by itself") == 1
    assert "s3cret" not in said


class Failing:
    """Counts that fail when told to."""

    def __init__(self) -> None:
        self.fails = True
        self.asked = 0

    async def take(self, buckets: object) -> list[int]:
        self.asked += 1
        if self.fails:
            raise CountsError("down")
        return [0]

    async def aclose(self) -> None:
        """Nothing is open."""


async def test_a_store_that_failed_is_left_alone_for_a_moment(
    capfd: pytest.CaptureFixture[str],
) -> None:
    clock, store = Frozen(), Failing()
    counts: Counts = store
    limit = Limit(per="api", amount=9, seconds=60, burst=9, store="x")
    one = Throttle([limit], LocalCounts(monotonic=clock), {"x": counts}, monotonic=clock)
    for _ in range(3):
        assert await one.admit("a", "/", None) is None
    assert store.asked == 1
    clock.now += 1.1
    store.fails = False
    assert await one.admit("a", "/", None) is None
    assert store.asked == 2
    assert "throttle.store answers again" in capfd.readouterr().err


async def test_a_redis_that_hangs_holds_no_call_for_long(
    tmp_path: Path, redis: str, hung: Callable[[], None]
) -> None:
    limit = throttle("api", "50/day", f'store = "{redis}"')
    async with serving(tmp_path, limit) as served:
        assert (await ask(served)).status == 200
        hung()
        answers = await asyncio.gather(*(ask(served) for _ in range(10)))
        assert {answer.status for answer in answers} == {200}
