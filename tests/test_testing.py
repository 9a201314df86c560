"""What users of the library get for their own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog import AccessLog, current_exchange
from gatewaylog.middleware.wsgi import AccessLogMiddleware
from gatewaylog.testing import CapturedLog, capture_events

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    exchange = current_exchange()
    exchange.identify(application="till", user="ann")
    exchange.annotate("Tenant", "north")
    status = environ["PATH_INFO"].strip("/") or "200"
    if status == "boom":
        raise RuntimeError("boom")
    start_response(f"{status} Whatever", [])
    return [b"hello"]


def call(app: Any, path: str = "/") -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_USER_AGENT": "tests/1"}
    result = app(environ, lambda *_: None)
    list(result)
    result.close()


def test_a_captured_log_is_the_sink_of_a_middleware() -> None:
    with capture_events() as log:
        call(AccessLogMiddleware(application, log=log, api="acme--Shop:v1"))
    found = log.assert_complete(api="acme--Shop:v1", status=200, user="ann", Tenant="north")
    assert found is not None
    assert found == log.completed[0]
    assert log.assert_incoming(user_agent="tests/1") == log.incoming[0]
    assert log.errors == []
    log.assert_all_paired()


def test_a_log_that_exists_is_captured_inside_of_the_with_alone(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    access_log = AccessLog(path)
    app = AccessLogMiddleware(application, log=access_log)
    with capture_events(access_log) as log:
        call(app)
    assert len(log.events) == 2
    assert path.read_bytes() == b""
    call(app)
    assert len(log.events) == 2
    assert len(path.read_bytes().splitlines()) == 2


def test_a_log_gets_its_sink_back_after_an_exception(tmp_path: Path) -> None:
    access_log = AccessLog(tmp_path / "api.log")
    sink = access_log.sink
    with pytest.raises(RuntimeError), capture_events(access_log):
        raise RuntimeError
    assert access_log.sink is sink


@pytest.mark.parametrize("name", ["wso2", "json", "logfmt"])
def test_events_are_read_from_lines_of_every_format(name: str) -> None:
    with capture_events() as log:
        call(AccessLogMiddleware(application, log=log, format=name), "/401")
    error = log.assert_error(source="_auth_failure_handler_", code=900901, status=401)
    assert error.error_code == "900901"
    assert all(line.endswith(b"\n") for line in log.lines)


def test_a_line_that_holds_no_event_is_told_with_its_number() -> None:
    log = CapturedLog([b"nonsense\n"])
    with pytest.raises(AssertionError, match="line 1 holds no event"):
        _ = log.events


def test_exchanges_pair_what_belongs_together() -> None:
    with capture_events() as log:
        app = AccessLogMiddleware(application, log=log, apis={"/200": "Good", "/403": "Bad"})
        call(app, "/200")
        call(app, "/403")
        call(app, "/404")
    good, bad, nowhere = log.exchanges
    assert good.incoming is not None
    assert bad.incoming is not None
    assert (good.incoming.api, good.terminal.status_code) == ("Good", 200)
    assert (bad.incoming.api, bad.terminal.status_code) == ("Bad", 403)
    assert nowhere.incoming is None
    assert nowhere.terminal.status_code == 404
    log.assert_all_paired()


def test_an_assertion_that_fails_tells_the_nearest_event_and_the_whole_log() -> None:
    with capture_events() as log:
        call(AccessLogMiddleware(application, log=log))
    with pytest.raises(AssertionError) as failed:
        log.assert_complete(status=201, user="ann", Region="east")
    text = str(failed.value)
    assert "no REQUEST_COMPLETE with status=201, user='ann', Region='east'" in text
    assert "the nearest one has status=200, no field Region" in text
    assert 'Event="INCOMING_REQUEST"' in text


def test_an_assertion_on_an_empty_log_says_that_it_is_empty() -> None:
    log = CapturedLog()
    log.assert_nothing_logged()
    log.assert_all_paired()
    with pytest.raises(AssertionError, match=r"no ERROR\nThe log:\n  \(empty\)"):
        log.assert_error()
    assert log.exchanges == []


def test_something_logged_is_told_where_nothing_should_be() -> None:
    with capture_events() as log:
        call(AccessLogMiddleware(application, log=log))
    with pytest.raises(AssertionError, match="2 events were logged"):
        log.assert_nothing_logged()
    log.clear()
    log.assert_nothing_logged()
    assert log.events == []


@pytest.mark.parametrize(
    ("left", "fault"),
    [
        (slice(0, 1), "GET /403 .* has 0 terminal events"),
        (slice(1, 2), "which is not in the log"),
    ],
)
def test_a_call_without_its_other_half_is_told(left: slice, fault: str) -> None:
    with capture_events() as log:
        call(AccessLogMiddleware(application, log=log), "/403")
    half = CapturedLog(log.lines[left])
    with pytest.raises(AssertionError, match=fault):
        half.assert_all_paired()
    assert len(half.exchanges) == 1


def test_two_terminal_events_of_one_call_are_told() -> None:
    with capture_events() as log:
        call(AccessLogMiddleware(application, log=log))
    doubled = CapturedLog([*log.lines, log.lines[1]])
    with pytest.raises(AssertionError, match="has 2 terminal events"):
        doubled.assert_all_paired()
    with pytest.raises(AssertionError, match="has 2 terminal events"):
        _ = doubled.exchanges[0].terminal
    assert len(doubled.exchanges[0].terminals) == 2
