"""What is still written when a process ends in order with calls that nobody ends."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from gatewaylog.exits import at_exit
from gatewaylog.testing import CapturedLog

ROOT = Path(__file__).parent.parent
_OPEN = """
import os, sys
from gatewaylog.middleware.wsgi import AccessLogMiddleware

def app(environ, start_response):
    start_response("200 OK", [])
    return iter([b"a", b"b"])

def leave_open(url):
    global kept
    log = AccessLogMiddleware(app, log="api.log")
    kept = log, log({"REQUEST_METHOD": "GET", "RAW_URI": url}, lambda *_: None)

"""


def log_of(code: str, folder: Path, status: int = 0) -> CapturedLog:
    done = subprocess.run(
        [sys.executable, "-c", _OPEN + code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert done.stderr == ""
    return CapturedLog((folder / "api.log").read_bytes().splitlines(keepends=True))


@pytest.mark.parametrize(
    "code",
    [
        "leave_open('/a')",
        "leave_open('/a'); sys.exit(0)",
        # The child of a fork leaves by os._exit, as multiprocessing has it.
        "import multiprocessing, multiprocessing.util\n"
        "child = multiprocessing.get_context('fork').Process(target=leave_open, args=['/a'])\n"
        "child.start(); child.join()",
    ],
)
def test_a_call_that_nobody_ends_ends_with_its_process(code: str, tmp_path: Path) -> None:
    log = log_of(code, tmp_path)
    log.assert_all_paired()
    end = log.assert_error(code=101507, status=503, outcome="shutdown")
    assert end.request_in_url == "/a"


def test_a_forked_child_does_not_end_its_parents_calls(tmp_path: Path) -> None:
    log = log_of(
        "leave_open('/a')\n"
        "if not os.fork(): sys.exit(0)\n"
        "os.wait(); list(kept[1]); kept[1].close()\n"
        "print(file=open('waited', 'w'))",
        tmp_path,
    )
    assert (tmp_path / "waited").exists()
    log.assert_all_paired()
    assert log.assert_complete(status=200).outcome == "complete"


def test_a_call_that_has_ended_is_not_ended_again(tmp_path: Path) -> None:
    log = log_of("leave_open('/a'); list(kept[1]); kept[1].close()", tmp_path)
    log.assert_all_paired()
    assert log.assert_complete(status=200).outcome == "complete"


def test_a_log_keeps_no_call_that_has_ended(tmp_path: Path) -> None:
    code = "leave_open('/a'); log = kept[0].log; print(len(log.unfinished), file=open('n', 'w'))\n"
    log_of(code + "kept[1].close(); print(len(log.unfinished), file=open('n', 'a'))", tmp_path)
    assert (tmp_path / "n").read_text().split() == ["1", "0"]


def test_an_object_that_is_gone_is_not_kept_for_the_exit() -> None:
    class Leaving:
        def leave(self) -> None:
            raise AssertionError

    leaving = Leaving()
    at_exit(leaving.leave)
    weak = weakref.ref(leaving)
    del leaving
    assert weak() is None
