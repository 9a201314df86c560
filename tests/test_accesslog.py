"""Options of the log, and what joins event, format and sink."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest, RequestComplete, RequestError
from gatewaylog.exceptions import LogError
from gatewaylog.sinks import MemorySink, StreamSink

if TYPE_CHECKING:
    from pathlib import Path


def threads_in(sink: MemorySink) -> list[str]:
    found = [re.search(rb"\] ?\[([^\]]*)\]\{", line) for line in sink.lines]
    return [match[1].decode() for match in found if match is not None]


@pytest.mark.parametrize("as_text", [True, False])
def test_a_path_is_a_file(tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "folder" / "log"
    log = AccessLog(str(path) if as_text else path)
    log.write(IncomingRequest(api="app"))
    assert path.read_bytes().count(b'API="app"') == 1
    path.rename(tmp_path / "log.1")
    log.reopen()
    log.write(IncomingRequest())
    log.close()
    assert path.read_bytes().count(b"\n") == 1


def test_a_hyphen_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    log = AccessLog("-")
    assert isinstance(log.sink, StreamSink)
    log.write(IncomingRequest(api="app"))
    assert 'API="app"' in capfd.readouterr().out


def test_a_sink_is_used_as_it_is() -> None:
    sink = MemorySink()
    assert AccessLog(sink).sink is sink


def test_the_default_file_stands_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    AccessLog()
    assert (tmp_path / "api-access.log").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"format": "xml"}, "format: 'xml' is not one of wso2, json, logfmt"),
        ({"fields": "some"}, "fields: 'some' is not one of full, seed"),
        ({"request_headers": ["Authorization"]}, "carries credentials"),
        ({"request_headers": ["COOKIE"]}, "carries credentials"),
        ({"request_headers": ["X Tenant"]}, "request_headers: 'X Tenant' can't name a header"),
        ({"request_headers": ["é"]}, "can't name a header"),
        ({"request_headers": [""]}, "can't name a header"),
        ({"response_header": "X-A:\r\nb"}, "response_header: .* can't name a header"),
        ({"pseudonyms": ["API"], "pseudonym_key": "k"}, "pseudonyms: 'API' is not one of"),
        ({"pseudonyms": ["RemoteIP"]}, "pseudonyms: need pseudonym_key"),
        ({"max_value_length": 63}, "max_value_length: 63 is under 64"),
        ({"max_line": 1023}, "max_line: 1023 is under 1024"),
    ],
)
def test_an_option_that_cannot_be_is_told_at_once(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AccessLog(MemorySink(), **options)


def test_a_file_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(LogError):
        AccessLog(tmp_path)


def test_a_request_header_is_named_as_the_specification_says() -> None:
    log = AccessLog(MemorySink(), request_headers=["X-Tenant", "x.b~c"])
    assert log.request_headers == {b"x-tenant": "Header_X_Tenant", b"x.b~c": "Header_x_b_c"}


@pytest.mark.parametrize("format_name", ["wso2", "json", "logfmt"])
def test_each_format_is_written(format_name: str) -> None:
    sink = MemorySink()
    AccessLog(sink, format=format_name).write(IncomingRequest(api="app"))
    assert sink.lines[0].startswith({"wso2": b"2", "json": b"{", "logfmt": b"time="}[format_name])


def test_options_reach_the_line() -> None:
    sink = MemorySink()
    log = AccessLog(sink, node="gw 1", logger="mine", fields="seed", max_value_length=64)
    log.write(IncomingRequest(request_in_url="/" * 100, remote_ip="x"))
    assert b" [gw_1][" in sink.lines[0]
    assert b"{mine}[-]" in sink.lines[0]
    assert b'RequestInURL="' + b"/" * 64 + b'"' in sink.lines[0]
    assert b"RemoteIP" not in sink.lines[0]


def test_the_prefix_names_process_and_thread_by_their_last_twenty_characters() -> None:
    sink = MemorySink()
    log = AccessLog(sink)
    names = ["short", 'with "odd]= chars', "a-very-long-thread-name-0123456789", ""]

    def write(name: str) -> None:
        threading.current_thread().name = name
        log.write(IncomingRequest())

    for name in names:
        thread = threading.Thread(target=write, args=(name,))
        thread.start()
        thread.join()
    assert threads_in(sink) == [
        f"{os.getpid()}-short"[-20:],
        f"{os.getpid()}-with__odd___chars"[-20:],
        "hread-name-0123456789"[-20:],
        f"{os.getpid()}-",
    ]


def test_a_childs_prefix_names_the_child() -> None:
    sink = MemorySink()
    log = AccessLog(sink)
    log.write(IncomingRequest())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - coverage does not see the child's end
        log.write(IncomingRequest())
        os.write(writer, sink.lines[-1])
        os._exit(0)
    os.waitpid(child, 0)
    line = os.read(reader, 65536)
    os.close(reader)
    os.close(writer)
    assert f"[{child}-MainThread"[:20].encode() in line
    assert f"[{os.getpid()}-MainThread"[:20].encode() in sink.lines[0]


def test_pseudonyms_stand_for_names_in_every_event() -> None:
    sink = MemorySink()
    fields = ("RemoteIP", "END_USER_NAME", "APPLICATION_NAME", "UserAgent")
    log = AccessLog(sink, pseudonyms=fields, pseudonym_key="key", format="json")
    log.write(IncomingRequest(remote_ip="192.0.2.1", user_agent="curl", api="app"))
    log.write(RequestComplete(remote_ip="192.0.2.1", end_user_name="lisa"))
    log.write(RequestError(remote_ip="192.0.2.1", application_name="\ud800"))
    first, second, third = map(json.loads, sink.lines)
    assert first["RemoteIP"] == log.pseudonyms.of("192.0.2.1")
    assert first["RemoteIP"] == second["RemoteIP"] == third["RemoteIP"]
    assert first["UserAgent"] == log.pseudonyms.of("curl")
    assert second["END_USER_NAME"] == log.pseudonyms.of("lisa")
    assert second["APPLICATION_NAME"] is None
    assert third["APPLICATION_NAME"] == log.pseudonyms.of("\ud800")
    assert first["API"] == "app"


def test_importing_the_log_loads_no_gateway() -> None:
    script = (
        "import sys, gatewaylog.middleware\n"
        "print([name for name in ('httpx', 'pydantic', 'uvicorn', 'gatewaylog.gateway')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
