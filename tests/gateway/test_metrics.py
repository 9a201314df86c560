"""What is counted, as Prometheus reads it, and what the admin listener answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from gatewaylog.events import IncomingRequest, LogLoss, RequestComplete, RequestError
from gatewaylog.gateway.admin import Admin, Board
from gatewaylog.gateway.metrics import MeteredLog, Metrics, Snapshot, exposition
from gatewaylog.sinks import MemorySink

if TYPE_CHECKING:
    from pathlib import Path


def snapshot(*, ready: bool = True, suspended: tuple[str, ...] = ()) -> Snapshot:
    """Two calls of one API, one of them still running, and one of none."""
    log = MeteredLog(MemorySink())
    log.metrics = Metrics()
    log.write(IncomingRequest(message_id="a", api="acme--Shop"))
    log.write(IncomingRequest(message_id="b", api="acme--Shop"))
    log.write(RequestComplete(api="acme--Shop", response_to="a", status_code=200, duration_ms=30.0))
    log.write(RequestError(error_source="main", error_code='4"04', duration_ms=20_000.0))
    return log.metrics.snapshot(lost=3, suspended=suspended) | {"ready": ready, "alive": True}


def samples(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_counters_are_summed_over_all_workers_and_gauges_over_the_living() -> None:
    one, other = snapshot(suspended=("http://b",)), snapshot(suspended=("http://b", "http://c"))
    shown = samples(exposition([one, other], [other]))
    assert shown['gatewaylog_events_total{event="INCOMING_REQUEST",api="acme--Shop"}'] == 4
    assert shown['gatewaylog_events_total{event="ERROR",api=""}'] == 2
    assert shown['gatewaylog_answers_total{api="acme--Shop",status="200"}'] == 2
    assert shown['gatewaylog_errors_total{api="",source="main",code="4\\"04"}'] == 2
    assert shown["gatewaylog_exchanges_in_progress"] == 1
    assert shown["gatewaylog_log_lost_total"] == 6
    assert shown["gatewaylog_workers"] == 1
    assert shown['gatewaylog_backend_suspended{backend="http://c"}'] == 1


def test_durations_are_a_histogram_of_seconds() -> None:
    shown = samples(exposition([snapshot()], []))
    name = "gatewaylog_exchange_duration_seconds"
    assert shown[f'{name}_bucket{{api="acme--Shop",le="0.025"}}'] == 0
    assert shown[f'{name}_bucket{{api="acme--Shop",le="0.05"}}'] == 1
    assert shown[f'{name}_sum{{api="acme--Shop"}}'] == 0.03
    assert shown[f'{name}_bucket{{api="",le="10.0"}}'] == 0
    assert shown[f'{name}_bucket{{api="",le="+Inf"}}'] == shown[f'{name}_count{{api=""}}'] == 1


async def asked(path: str, *workers: Snapshot, method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(app=Admin(lambda: list(workers)))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        return await client.request(method, path)


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [
        ("/health/live", False, 200),
        ("/health/ready", True, 200),
        ("/health/ready", False, 503),
        ("/metrics", False, 200),
        ("/", True, 404),
    ],
)
async def test_the_admin_listener_answers(path: str, ready: bool, status: int) -> None:
    assert (await asked(path, snapshot(ready=ready))).status_code == status


async def test_the_admin_listener_is_only_for_looking() -> None:
    assert (await asked("/metrics", method="POST")).status_code == 405


async def test_a_worker_that_has_ended_makes_nothing_ready() -> None:
    gone = snapshot() | {"alive": False}
    assert (await asked("/health/ready", gone)).status_code == 503


def test_what_is_pinned_to_the_board_tells_whether_its_process_runs(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.pin({"ready": True})
    board.pin({"ready": False})
    (tmp_path / "4194305.json").write_text('{"ready": true}')  # over every process id
    assert sorted(board.read(), key=str) == sorted(
        [{"ready": False, "alive": True}, {"ready": True, "alive": False}], key=str
    )
    board.pin({"ready": False, "alive": False})  # by the parent, which is no worker
    assert not any(one["alive"] for one in board.read())


def test_a_loss_is_counted_by_what_was_lost_alone() -> None:
    metrics = Metrics()
    metrics.count(LogLoss(lost=3))
    assert metrics.snapshot(lost=3, suspended=()) == Metrics().snapshot(lost=3, suspended=())
