"""Building beside a search: it starts by itself, can be killed, and takes little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gatewaylog.analytics import background
from gatewaylog.analytics.background import start
from gatewaylog.analytics.building import build
from gatewaylog.analytics.folders import NAME, TEMPORARY
from gatewaylog.reader import find
from tests.analytics.answers import by_cache, by_lines, bytes_held, held, source_of
from tests.analytics.test_cache import lines
from tests.cli.processes import environment, gatewaylog, said_once
from tests.search.access_log import planned
from tests.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from pathlib import Path

COUNT = "* | stats count by API"


def big(path: Path, size: int = background.WORTH) -> Path:
    block = lines(2000)
    with path.open("wb") as log:
        while log.tell() < size:
            log.write(block)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return big(tmp_path / "log" / "api.log")


def building(path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gatewaylog.analytics", str(path)]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE)


def test_the_first_search_of_a_big_log_has_its_cache_made_and_the_next_uses_it(log: Path) -> None:
    first = gatewaylog("search", COUNT, str(log))
    assert first.returncode == 0
    wait_for(lambda: bytes_held(source_of(log)) == log.stat().st_size, 5 * PATIENCE)
    again = gatewaylog("search", COUNT, str(log))
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, first.stderr)
    pure = gatewaylog("search", COUNT, str(log), "--engine", "pure")
    assert (pure.stdout, pure.stderr) == (first.stdout, first.stderr)


def test_a_small_log_a_pipe_and_a_held_one_start_nothing(tmp_path: Path, log: Path) -> None:
    small = big(tmp_path / "small.log", 1000)
    assert start(find([str(small)])) is None
    assert start(find("-")) is None
    assert build(source_of(log), workers=2)
    assert start(find([str(log)])) is None


def test_a_builder_that_is_killed_leaves_nothing_that_is_believed(log: Path) -> None:
    """Killed as soon as it has begun to write, and again, until there is something to resume."""
    folder = log.parent / NAME
    for _ in range(3):
        with building(log) as process:
            wait_for(lambda: list(folder.rglob(f"{TEMPORARY}*")) or None)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        plan = planned(COUNT)
        assert by_cache(plan, source_of(log)) == by_lines(plan, source_of(log))
    with building(log) as process:
        assert process.wait(5 * PATIENCE) == 0
    assert bytes_held(source_of(log)) == log.stat().st_size
    assert not list(folder.rglob(f"{TEMPORARY}*"))


def test_two_builders_do_no_harm(log: Path) -> None:
    with building(log) as one, building(log) as other:
        codes = {one.wait(5 * PATIENCE), other.wait(5 * PATIENCE)}
    assert 0 in codes
    assert bytes_held(source_of(log)) == log.stat().st_size
    plan = planned(COUNT)
    assert by_cache(plan, source_of(log)) == by_lines(plan, source_of(log))


def test_what_can_t_be_built_is_one_line(tmp_path: Path) -> None:
    with building(tmp_path / "nowhere.log") as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        assert process.wait(5 * PATIENCE) == 1
    (line,) = said.splitlines()
    assert "nowhere.log: No such file" in line


def test_duckdb_can_be_asked_for(tmp_path: Path) -> None:
    path = big(tmp_path / "api.log", 100_000)
    done = gatewaylog("search", COUNT, str(path), "--engine", "duckdb")
    assert bytes_held(source_of(path)) == path.stat().st_size
    assert held(source_of(path))
    pure = gatewaylog("search", COUNT, str(path), "--engine", "pure")
    assert (done.returncode, done.stdout, done.stderr) == (0, pure.stdout, pure.stderr)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("*", ""),
        ("* | head 5 | stats count", "head"),
        ("* | stats count, list(API)", "list(API)"),
        ("_time>0 | stats count", "_time>0"),
        ("* | fillnull value=x | stats count by API", "fillnull"),
        ("(GET OR API=a) | stats count", "GET"),
        ('* | rex "(?<x>.)" | stats count by x', "rex"),
        ("* | rename A* AS B* | stats count by B", "rename"),
        ("* | sort 3 -DurationMs | table API", "sort"),
        ("* | chart count by _time", "chart"),
        ("* | stats count by _raw", ""),
    ],
)
def test_what_duckdb_can_t_take_is_shown_with_its_place(
    tmp_path: Path, query: str, place: str
) -> None:
    path = big(tmp_path / "api.log", 1000)
    done = gatewaylog("search", query, str(path), "--engine", "duckdb")
    assert done.returncode == 2
    shown, carets, message, known = done.stderr.splitlines()
    assert (shown, known) == (query, "known: --engine pure takes all")
    assert message.startswith("--engine duckdb takes queries that count: ")
    assert carets == " " * (query.index(place) if place else len(query)) + "^" * (len(place) or 1)


def test_what_duckdb_can_t_show_is_one_line(tmp_path: Path) -> None:
    path = big(tmp_path / "api.log", 1000)
    done = gatewaylog("search", COUNT, str(path), "--engine", "duckdb", "--unread")
    assert done.returncode == 2
    assert "--unread is not for --engine duckdb" in said_once(done)


def test_duckdb_takes_no_standard_input(tmp_path: Path) -> None:
    done = gatewaylog("search", COUNT, "-", "--engine", "duckdb", cwd=tmp_path, stdin=lines(3))
    assert done.returncode == 2
    assert "--engine duckdb needs files: - is none" in said_once(done)


def test_without_duckdb_the_extra_is_named_and_all_else_works(tmp_path: Path) -> None:
    path = big(tmp_path / "api.log", 1000)
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(
        "import sys; sys.modules['duckdb'] = None  # as if it were not installed"
    )
    hidden = str(tmp_path / "path")
    done = gatewaylog("search", COUNT, str(path), "--engine", "duckdb", PYTHONPATH=hidden)
    assert done.returncode == 2
    assert "pip install 'gatewaylog[analytics]'" in said_once(done)
    assert gatewaylog("search", COUNT, str(path), PYTHONPATH=hidden).returncode == 0


def test_memory_stays_flat_while_a_cache_is_made(tmp_path: Path) -> None:
    """Two segments take no more than one does."""
    peaks = []
    for size in (background.WORTH, 2 * background.WORTH):
        path = big(tmp_path / f"{size}.log", size)
        with building(path) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss * 1024)
    assert peaks[1] < peaks[0] + 40e6
