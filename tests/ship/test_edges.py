"""What is seldom: giant lines, answers that drip, packages that are missing, states gone bad."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ReaderError, ShipError
from gatewaylog.reader import LONGEST
from gatewaylog.ship.destination import Limits, Refused, TryAgain
from gatewaylog.ship.settings import Settings, destination_of
from gatewaylog.ship.state import State, is_held, read_checkpoint
from gatewaylog.ship.trail import Trail
from gatewaylog.ship.web import Answer, Web, judge
from tests.ship.counterparts import Collector, Counterpart, LokiStore, listening
from tests.ship.logs import append, line, lines, once, rotate

if TYPE_CHECKING:
    from pathlib import Path

_GIANT = 3 * LONGEST


@pytest.mark.parametrize("packed", [False, True])
def test_a_giant_line_is_cut_and_reading_goes_on_behind_it(
    log: Path, state: Path, loki: Counterpart, store: LokiStore, *, packed: bool
) -> None:
    log.write_bytes(line(1) + b"x" * _GIANT + b"\n" + line(2))
    rotate(log, pack_from=packed)
    append(log, [3])
    once(log, state, quiet=0.0, to="loki", url=loki.url)
    once(log, state, quiet=0.0, to="loki", url=loki.url)
    assert [len(text) for text in store.lines] == [
        *(len(lines([1])[0]), LONGEST, len(lines([2])[0]), len(lines([3])[0]))
    ]


def test_a_giant_line_without_an_end_waits_until_its_file_is_over(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    log.write_bytes(line(1) + b"x" * _GIANT)
    once(log, state, quiet=0.0, to="loki", url=loki.url)
    assert store.lines == lines([1])
    rotate(log)
    append(log, [3])
    once(log, state, quiet=0.0, to="loki", url=loki.url)
    assert [len(text) for text in store.lines[1:]] == [LONGEST, len(lines([3])[0])]


def test_a_packed_file_that_can_not_be_unpacked_is_told(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, [1])
    log.with_name("api.log.1.zst").write_bytes(b"\x28\xb5\x2f\xfd1234")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(ReaderError, match=r"gatewaylog\[zstd\]"):
        Trail([log], ()).batch(Limits())


def test_a_batch_under_way_whose_file_is_gone_is_a_gap(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    append(log, range(3))
    once(log, state, to="loki", url=loki.url)
    told = json.loads((state / "checkpoint.json").read_text())
    first = told["positions"][0]["first"]
    told["sending"] = {"first": first, "begin": 100, "end": 200}
    (state / "checkpoint.json").write_text(json.dumps(told))
    log.unlink()
    append(log, [9])
    once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(3), [9])


def test_a_checkpoint_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.json").mkdir()
    with pytest.raises(ShipError, match="Is a directory"):
        read_checkpoint(tmp_path)


def test_a_state_that_is_not_there_is_held_by_nobody(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nowhere")


def test_dead_letters_are_never_written_through_a_link(tmp_path: Path, log: Path) -> None:
    append(log, [1])
    state = tmp_path / "state"
    State(state, "command").close()
    (tmp_path / "precious").write_text("kept")
    (state / "dead-letters.ndjson").symlink_to(tmp_path / "precious")
    with pytest.raises(ShipError, match="dead-letters"):
        once(log, state, to="command", command=("sh", "-c", "exit 65"))
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.parametrize(
    ("to", "module", "extra"),
    [("loki", "httpx", "ship"), ("otlp", "opentelemetry", "otlp"), ("otlp", "httpx", "otlp")],
)
def test_without_its_packages_a_destination_names_the_extra(
    to: str, module: str, extra: str
) -> None:
    code = f"""
import sys
sys.modules[{module!r}] = None
from gatewaylog.ship.settings import Settings, destination_of
try:
    destination_of(Settings(to={to!r}, url="http://h"))
except Exception as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"{to} needs {module}" in done.stdout
    assert f"pip install 'gatewaylog[{extra}]'" in done.stdout


def test_syslog_and_a_program_need_no_package() -> None:
    code = """
import sys
sys.modules["httpx"] = None
from gatewaylog.ship.settings import Settings, destination_of
destination_of(Settings(to="syslog", url="udp://127.0.0.1:9"))
destination_of(Settings(to="command", command=("cat",)))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def posted(url: str, timeout: float = 5.0) -> Answer:
    settings = Settings(to="loki", url=url, timeout=timeout)
    with contextlib.closing(Web(settings, "/push", {})) as web:
        return web.post(b"x")


def test_an_answer_that_drips_is_given_up() -> None:
    with listening(lambda request: (200, {}, b"")) as counterpart:
        counterpart.trouble.next = ["drip"]
        with pytest.raises(TryAgain, match=r"took over 0\.3 s"):
            posted(counterpart.url, 0.3)


def test_of_a_long_answer_the_begin_is_read() -> None:
    with listening(lambda request: (400, {}, b"no\x1b[31m\n" + b"x" * 3_000_000)) as counterpart:
        answer = posted(counterpart.url)
    assert len(answer.body) < 1_000_000
    assert answer.told.startswith("HTTP 400: no?[31m xxx")
    with pytest.raises(Refused):
        judge(answer)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", 7.0), ("", None), ("soon", None), ("-1", None), ("9" * 30, 999_999_999.0)],
)
def test_retry_after_in_seconds(value: str, expected: float | None) -> None:
    with listening(lambda request: (503, {"Retry-After": value}, b"")) as counterpart:
        assert posted(counterpart.url).after == expected


def test_retry_after_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    past = "Sun, 06 Nov 1994 08:49:37 -0000"
    with listening(lambda request: (503, {"Retry-After": date}, b"")) as counterpart:
        after = posted(counterpart.url).after
    assert after is not None
    assert 50 < after <= 60
    with listening(lambda request: (503, {"Retry-After": past}, b"")) as counterpart:
        assert posted(counterpart.url).after == 0.0


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"code":7,"text":"Incorrect index"}', ShipError),
        (503, b'{"code":9,"text":"Server is busy"}', TryAgain),
        (400, b'{"code":12,"text":"Event field is required"}', Refused),
        (413, b"too large", Refused),
        (500, b"[]", TryAgain),
        (502, b"<html>", TryAgain),
    ],
)
def test_what_a_collector_answers(status: int, body: bytes, expected: type[Exception]) -> None:
    with listening(lambda request: (status, {}, body)) as counterpart:
        settings = Settings(to="splunk", url=counterpart.url, token=Collector.TOKEN)
        with contextlib.closing(destination_of(settings)) as splunk, pytest.raises(expected):
            splunk.send(splunk.prepare([]))


def test_a_shipper_of_the_gateway_that_is_told_nothing_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatewaylog.ship"],
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
