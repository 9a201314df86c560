"""Searches of a big log against grep, lnav and GoAccess, in one run on the same file, warm cache.

python benchmarks/search.py [--lines 2000000] [--file LOG] [--rounds 3]

A command that fails, or gives another answer than others do, ends it. Memory is what the processes
hold for themselves, summed over them, at its most (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import search_log

FILTER = "API=*Echo* | stats count"
CHART = (
    'NOT INCOMING_REQUEST | eval result=if(Event=="REQUEST_COMPLETE", "Success", ERROR_MESSAGE) '
    "| chart count by API, result"
)
QUERIES = (
    FILTER,
    CHART,
    "INCOMING_REQUEST | timechart count by API",
    "* | stats avg(DurationMs), p95(DurationMs) by API",
    "StatusCode=404 | stats count by RequestInURL",
    "API=*Echo* | head 1000 | stats count",
)
_GOACCESS = (
    '%dT%t.%^ [%^][%^]{%^}[%^] INFO  Event="REQUEST_COMPLETE", MessageID="%^", API="%v", '
    'ResponseTo="%^", APPLICATION_NAME="%^", END_USER_NAME="%^", StatusCode="%s", '
    'RequestOutURL="%^", RequestOutMethod="%^", RequestInURL="%U", RequestInMethod="%m", '
    'UserAgent="%u", RemoteIP="%h", Outcome="%^", DurationMs="%L", BackendMs="%^", '
    'BytesIn="%^", BytesOut="%b"'
)


class Run(NamedTuple):
    """How long a command took, in seconds, its CPU time (that of its children included), and the
    private bytes of it and its children.
    """

    took: float
    cpu: float
    memory: int
    output: str


class Wrong(SystemExit):
    """A command failed, or its answer is wrong: what it took says nothing."""


def run(command: list[str], **environment: str) -> Run:
    """Run a command. Raises Wrong where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        program = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=told, env=os.environ | environment
        )
        peak = [0]
        watch = threading.Thread(target=_watch, args=(program, peak))
        watch.start()
        output, _ = program.communicate()
        took = time.perf_counter() - began
        watch.join()
        if program.returncode:
            told.seek(0)
            error = told.read().decode(errors="replace")
            raise Wrong(f"status {program.returncode} of {command}:\n{error or output[:1000]!r}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(took, cpu, peak[0], output.decode(errors="replace"))


def same(name: str, answer: object, expected: object) -> None:
    """Raise Wrong where an answer is not the expected one."""
    if answer != expected:
        raise Wrong(f"{name}: gives {str(answer)[:1000]!r}, not {str(expected)[:1000]!r}")


def rows_of(one: Run) -> list[dict[str, object]]:
    """Return the rows that a search gave. Raises Wrong where there are none."""
    rows = [json.loads(line) for line in one.output.splitlines()]
    if not rows:
        raise Wrong("a search gave nothing")
    return rows


def _watch(program: subprocess.Popen[bytes], peak: list[int]) -> None:
    while program.poll() is None:
        peak[0] = max(peak[0], sum(map(private_bytes, [program.pid, *children(program.pid)])))
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [other for child in map(int, found) for other in (child, *children(child))]


def private_bytes(pid: int) -> int:
    try:
        rolled = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in rolled if line.startswith("Private_"))


def best(command: list[str], rounds: int, **environment: str) -> Run:
    return min((run(command, **environment) for _ in range(rounds)), key=lambda one: one.took)


def told(name: str, one: Run, other: Run | None = None, against: str = "") -> None:
    ratio = f"{one.took / other.took:8.2f} × {against}" if other else ""
    print(
        f"{name:76}{one.took:8.2f} s {one.cpu:8.2f} CPU-s {one.memory / 1e6:7.0f} MB {ratio}",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=2_000_000)
    options.add_argument("--file", type=Path)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = chosen.file or Path(name, "access.log")
        if not path.exists():
            search_log.write(path, chosen.lines)
        measure(str(path), Path(name), chosen.rounds)


def measure(path: str, folder: Path, rounds: int) -> None:
    lines = run(["wc", "-l", path]).output.split()[0]
    size = Path(path).stat().st_size / 1e6
    print(f"{path}: {size:,.0f} MB, {lines} lines, {os.cpu_count()} processors")
    grep = best(["grep", "-ci", 'API="[^"]*Echo', path], rounds, LC_ALL="C")
    told(f"grep -ci: {grep.output.strip()}", grep)
    loaded = measure_others(path, lines, folder, rounds)
    pure = {}
    for query in QUERIES:
        other, against = (grep, "grep") if query == FILTER else (loaded, "lnav's load")
        pure[query] = best(search(query, path, "pure"), rounds)
        rows_of(pure[query])
        told(query[:75], pure[query], other, against)
    same(FILTER, rows_of(pure[FILTER]), [{"count": int(grep.output)}])
    for names in ([], ["apis"], ["slow"]):
        command = [sys.executable, "-m", "gatewaylog", "report", *names, path]
        one = best(command, rounds)
        rows_of(one)
        told(" ".join(["report", *names]), one, loaded, "lnav's load")
    measure_cache(path, pure, rounds)


def measure_others(path: str, lines: str, folder: Path, rounds: int) -> Run | None:
    """Tell what lnav and GoAccess take, where they are installed; return lnav's run."""
    loaded: Run | None = None
    if lnav := shutil.which("lnav"):
        asked = [lnav, "-n", "-c", ";SELECT count(*) FROM all_logs", "-c", ":write-csv-to -", path]
        loaded = best(asked, rounds, HOME=str(folder), TERM="xterm")
        same("lnav", loaded.output.split()[-1:], [lines])
        told("lnav: load", loaded)
    if goaccess := shutil.which("goaccess"):
        report = folder / "report.json"
        asked = [goaccess, path, f"--log-format={_GOACCESS}", "--date-format=%Y-%m-%d"]
        asked += ["--time-format=%H:%M:%S", "--no-progress", "-o", str(report)]
        one = best(asked, 1)
        counted = json.loads(report.read_text(errors="replace"))["general"]["valid_requests"]
        told(f"GoAccess: report of {counted:,} completed requests", one)
    return loaded


def measure_cache(path: str, pure: dict[str, Run], rounds: int) -> None:
    """Tell what the cache takes, and what searches take that have it, of those that count."""
    cache = Path(path).parent / ".gatewaylog-cache"
    shutil.rmtree(cache, ignore_errors=True)
    build = [sys.executable, "-m", "gatewaylog.analytics", path]
    told("the cache, made by one process", run(build))
    size = sum(file.stat().st_size for file in cache.rglob("*.parquet"))
    if not size:
        raise Wrong("no cache was made")
    print(f"the cache's size: {size / 1e6:,.0f} MB of {Path(path).stat().st_size / 1e6:,.0f}")
    for query in QUERIES:
        if "head" not in query:
            held = best(search(query, path, "auto"), rounds)
            same(query, rows_of(held), rows_of(pure[query]))
            told(f"from the cache: {query[:59]}", held, pure[query], "pure")
    shutil.rmtree(cache)


def search(query: str, path: str, engine: str) -> list[str]:
    return [sys.executable, "-m", "gatewaylog", "search", query, path, "--engine", engine]


if __name__ == "__main__":
    main()
