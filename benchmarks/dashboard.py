"""The dashboard over a log of 2 million lines while 2,000 events a second are written to it.

In headless Chromium: when the page is shown, when its figures are whole, how long an event takes
from being written to standing in the page; and whether the figures are exact at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import search_log
from harness import needs
from playwright.sync_api import expect, sync_playwright

from gatewaylog.events import IncomingRequest, RequestComplete
from gatewaylog.formats import LineOptions, Wso2Format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TICKS = os.sysconf("SC_CLK_TCK")
_TURN = 0.02  # seconds between two writes
# Notes when each marked row came into the live tail: [mark, milliseconds since the epoch].
_WATCH = """() => {
  window.seenAt = new Map();
  new MutationObserver((changes) => {
    const now = Date.now();
    for (const change of changes) for (const node of change.addedNodes) {
      for (const [mark] of (node.textContent ?? "").matchAll(/mark-\\d+-/g)) {
        if (!window.seenAt.has(mark)) window.seenAt.set(mark, now);
      }
    }
  }).observe(document.querySelector("#tail"), {childList: true, subtree: true});
}"""


class Writer(threading.Thread):
    """Appends exchanges at a steady rate; `marks` tells when marked ones were written."""

    def __init__(self, log: Path, *, rate: int, seconds: float) -> None:
        super().__init__()
        self.marks: dict[str, float] = {}
        self.written = 0
        self._log = log
        self._rate = rate
        self._seconds = seconds

    def run(self) -> None:
        form = Wso2Format(LineOptions())
        began = time.monotonic()
        with self._log.open("ab", buffering=0) as log:
            while (gone := time.monotonic() - began) < self._seconds:
                lines, now = [], time.time()
                mark = f"mark-{len(self.marks)}-"
                while self.written < gone * self._rate:
                    lines += [form.encode(event, now, "x") for event in self._exchange(mark)]
                    self.written += 2
                log.write(b"".join(lines))
                if lines:
                    self.marks[mark] = time.time()
                time.sleep(_TURN)

    def _exchange(self, mark: str) -> tuple[IncomingRequest, RequestComplete]:
        one, url = f"urn:uuid:{self.written}-live", f"/live/{mark}"
        call = IncomingRequest(one, "live--Orders:v1", url, "GET", "curl/8", "10.0.0.1")
        end = RequestComplete(
            f"{one}-end", call.api, one, "app", "user", 200, f"http://b{url}", "GET", url, "GET",
            "curl/8", "10.0.0.1", outcome="complete", duration_ms=1.5, backend_ms=1.0, bytes_in=0,
            bytes_out=10,
        )  # fmt: skip
        return call, end


def processes(first: int) -> Iterator[int]:
    """Yield a process and those it started."""
    yield first
    for task in Path(f"/proc/{first}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from processes(int(child))


def cpu_and_memory(first: int) -> tuple[float, float]:
    """Return CPU-seconds and private megabytes of a process and those it started."""
    cpu, memory = 0.0, 0.0
    for process in processes(first):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / _TICKS
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        memory += sum(map(int, re.findall(r"^Private_\w+: +(\d+)", rollup, re.MULTILINE))) / 1024
    return cpu, memory


def counted(log: Path) -> dict[str, int]:
    """Return the number of each kind of event, by `gatewaylog search`."""
    query = "* | stats count by Event"
    command = [sys.executable, "-m", "gatewaylog", "search", query, str(log), "--output", "ndjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["Event"]: int(row["count"]) for row in rows}


def _totals(page: Any) -> dict[str, int]:
    found = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#totals > div')].map((one) =>"
        " [one.querySelector('dt').textContent, one.querySelector('dd').textContent]))"
    )
    return {name: int(text.replace(",", "")) for name, text in found.items()}


def measure(page: Any, log: Path, server: int, options: argparse.Namespace) -> None:
    """Print when the page is whole, then what it does while lines are written."""
    page.wait_for_selector("#state.live", timeout=600_000)
    _tell("figures whole after", f"{time.monotonic() - options.began:.1f} s")
    _tell("memory then", f"{cpu_and_memory(server)[1]:.0f} MB")
    page.evaluate(_WATCH)
    writer = Writer(log, rate=options.rate, seconds=options.seconds)
    before, began = cpu_and_memory(server)[0], time.monotonic()
    writer.start()
    writer.join()
    cpu = (cpu_and_memory(server)[0] - before) / (time.monotonic() - began)
    total = sum(counted(log).values())
    expect(page.locator("#state")).to_contain_text(f"{total:,} lines", timeout=60_000)
    seen = dict(page.evaluate("[...window.seenAt]"))
    lags = sorted(seen[mark] / 1000 - at for mark, at in writer.marks.items() if mark in seen)
    _tell("events written a second", f"{writer.written / options.seconds:,.0f}")
    _tell("writes seen in the tail", f"{len(lags)} of {len(writer.marks)}")
    _tell("from written to seen, p50", f"{statistics.median(lags):.2f} s")
    _tell("from written to seen, p99", f"{lags[int(len(lags) * 0.99)]:.2f} s")
    _tell("CPU of the dashboard, cores", f"{cpu:.2f}")
    _tell("memory at the end", f"{cpu_and_memory(server)[1]:.0f} MB")
    expected, shown = counted(log), _totals(page)
    pairs = {"requests": "INCOMING_REQUEST", "completed": "REQUEST_COMPLETE", "errors": "ERROR"}
    same = all(shown[name] == expected[event] for name, event in pairs.items())
    _tell("figures equal to `gatewaylog search`", "yes" if same else f"NO: {shown} {expected}")


def _tell(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


@contextlib.contextmanager
def shown(log: Path, page: Any) -> Iterator[tuple[int, float, float]]:
    """Serve the log and open the page; give the server's process, when it was started, and the
    seconds until the page had figures and events.
    """
    command = [sys.executable, "-m", "gatewaylog", "dashboard", str(log), "--listen", "127.0.0.1:0"]
    began = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            address = re.search(r"http\S+", server.stderr.readline())
            assert address is not None
            page.goto(address[0])
            page.wait_for_selector("#totals dd", timeout=60_000)
            page.wait_for_selector("#tail tbody tr", timeout=60_000)
            yield server.pid, began, time.monotonic() - began
        finally:
            server.terminate()


def run(log: Path, page: Any, options: argparse.Namespace) -> None:
    """Open the page `--runs` times, and measure what the last one does."""
    print(f"| {log.stat().st_size / 1e6:,.0f} MB at the start | |\n| --- | ---: |")
    took = []
    for left in reversed(range(options.runs)):
        with shown(log, page) as (server, began, seconds):
            took.append(seconds)
            if left:
                continue
            _tell("page with figures and events, median", f"{statistics.median(took):.2f} s")
            _tell("the slowest", f"{max(took):.2f} s")
            options.began = began
            measure(page, log, server, options)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--log", type=Path, help="a log to copy instead of making one")
    parser.add_argument("--rate", type=int, default=2000, help="events a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--runs", type=int, default=5, help="times that the page is opened")
    options = parser.parse_args(arguments)
    needs("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        log = Path(folder) / "api-access.log"
        if options.log:
            subprocess.run(["cp", options.log, log], check=True)
        else:
            search_log.write(log, options.lines)
        with playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        ) as browser:
            run(log, browser.new_page(), options)


if __name__ == "__main__":
    main()
