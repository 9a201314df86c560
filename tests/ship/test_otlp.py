"""Lines to an OpenTelemetry receiver, built on OpenTelemetry's own proto package."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from gatewaylog import AccessLog
from gatewaylog.exceptions import ShipError
from gatewaylog.ship.state import read_checkpoint
from gatewaylog.sinks.numbers import numbers_in
from tests.reader.logs import complete, encoded, error, incoming
from tests.ship.counterparts import Reply, Request, listening
from tests.ship.killing import killed_at_random
from tests.ship.logs import append, lines, ndjson, once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord


_JSON = {"Content-Type": "application/json"}


class Receiver:
    """Takes `POST /v1/logs` as the OTLP specification has it (OTLP/HTTP, binary protobuf)."""

    def __init__(self) -> None:
        self.requests: list[ExportLogsServiceRequest] = []
        self.refuses: Callable[[str], bool] = lambda line: False
        self.headers: dict[str, str] = {}

    def take(self, request: Request) -> Reply:
        assert request.path == "/v1/logs", request.path
        assert request.headers["content-type"] == "application/x-protobuf"
        self.headers = request.headers
        asked = ExportLogsServiceRequest.FromString(request.unpacked)
        answer = ExportLogsServiceResponse()
        for resource in asked.resource_logs:
            for scope in resource.scope_logs:
                kept = [r for r in scope.log_records if not self.refuses(r.body.string_value)]
                answer.partial_success.rejected_log_records += len(scope.log_records) - len(kept)
                del scope.log_records[:]
                scope.log_records.extend(kept)
        if answer.partial_success.rejected_log_records:
            answer.partial_success.error_message = "too long"
        self.requests.append(asked)
        return 200, {"Content-Type": "application/x-protobuf"}, answer.SerializeToString()

    @property
    def records(self) -> list[LogRecord]:
        return [
            record
            for asked in self.requests
            for resource in asked.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    @property
    def lines(self) -> list[str]:
        return [record.body.string_value for record in self.records]


def attributes(record: LogRecord) -> dict[str, object]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in record.attributes
    }


def test_a_line_becomes_a_record_by_the_semantic_conventions(log: Path, state: Path) -> None:
    receiver = Receiver()
    trace = "0af7651916cd43dd8448eb211c80319c"
    events = (
        incoming(1, request_in_url="/a%20b?c=d", request_in_method="GET", trace_id=trace),
        complete(1, request_in_method="BREW", bytes_out=12, application_name="shop"),
        error(1, error_code="101504"),
        error(2, status_code=404),
    )
    log.write_bytes(b"".join(encoded(event) for event in events) + b"what?\n")
    with listening(receiver.take) as counterpart:
        once(log, state, to="otlp", url=counterpart.url, job="edge", host="gw1")
    first, second, third, fourth, fifth = receiver.records
    assert first.event_name == "gatewaylog.incoming_request"
    assert first.time_unix_nano == 1_700_000_000_000_000_000
    assert first.observed_time_unix_nano > first.time_unix_nano
    assert first.trace_id.hex() == trace
    assert attributes(first) == {
        "http.request.method": "GET",
        "url.path": "/a%20b",
        "url.query": "c=d",
        "log.record.uid": "urn:uuid:00000000-0000-4000-8000-000000000001-INCOMING_REQUEST",
        "gatewaylog.message_id": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "gatewaylog.api": "acme--Shop:v1",
    }
    told = attributes(second)
    assert (told["http.request.method"], told["http.request.method_original"]) == ("_OTHER", "BREW")
    assert (told["http.response.status_code"], told["http.response.body.size"]) == (200, 12)
    assert (told["gatewaylog.duration_ms"], told["gatewaylog.application"]) == (5.0, "shop")
    assert attributes(third)["error.type"] == "101504"
    severities = [record.severity_number for record in receiver.records]
    assert severities == [9, 9, 17, 13, 9]
    assert (fifth.event_name, fifth.body.string_value) == ("gatewaylog.unread", "what?")
    assert fourth.severity_text == "WARN"
    (resource,) = receiver.requests[0].resource_logs
    named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert named == {"service.name": "edge", "host.name": "gw1"}


@pytest.mark.parametrize("kind", ["busy", "down", "cut"])
def test_trouble_loses_nothing(log: Path, state: Path, kind: str) -> None:
    receiver = Receiver()
    append(log, range(10))
    with listening(receiver.take) as counterpart:
        counterpart.trouble.next = [kind]
        once(log, state, to="otlp", url=counterpart.url)
    assert receiver.lines == lines(range(10))


def test_of_a_batch_of_which_some_are_rejected_those_alone_are_dead_letters(
    log: Path, state: Path
) -> None:
    """The answer tells how many, not which: each is sent once more, alone."""
    receiver = Receiver()
    receiver.refuses = lambda line: '/shop/3"' in line or '/shop/1"' in line
    append(log, range(5))
    with listening(receiver.take) as counterpart:
        once(log, state, to="otlp", url=counterpart.url)
        append(log, [3])
        once(log, state, to="otlp", url=counterpart.url)
    letters = ndjson(state / "dead-letters.ndjson")
    assert [letter["line"] for letter in letters] == lines([1, 3, 3])
    assert {letter["reason"] for letter in letters} == {"too long"}
    assert receiver.lines == lines([0, 2, 4], [0, 2, 4])
    checkpoint = read_checkpoint(state)
    assert checkpoint is not None
    assert (checkpoint.delivered, checkpoint.dead) == (3, 3)


def test_what_comes_twice_carries_the_same_uid(log: Path, state: Path) -> None:
    receiver = Receiver()
    receiver.refuses = lambda line: '/shop/1"' in line
    numbered = incoming(4)
    log.write_bytes(b"".join(map(encoded, (incoming(0), incoming(1)))) + b"what?\n")
    access_log = AccessLog(log)
    access_log.write(numbered)
    access_log.close()
    with listening(receiver.take) as counterpart:
        once(log, state, to="otlp", url=counterpart.url)
    uids = [attributes(record).get("log.record.uid") for record in receiver.records]
    message = "urn:uuid:00000000-0000-4000-8000-000000000000-INCOMING_REQUEST"
    numbers = numbers_in(log.read_bytes().splitlines()[-1])
    assert numbers is not None
    assert uids == [message, None, f"{numbers[0]}-1"] * 2


def test_after_some_were_rejected_the_batches_are_smaller(log: Path, state: Path) -> None:
    """Few of those that are taken come twice, and none three times."""
    receiver = Receiver()
    receiver.refuses = lambda line: '99"' in line.partition("RequestInURL=")[2][:20]
    append(log, range(2000))
    with listening(receiver.take) as counterpart:
        once(log, state, to="otlp", url=counterpart.url)
    letters = [letter["line"] for letter in ndjson(state / "dead-letters.ndjson")]
    assert letters == [line for line in lines(range(2000)) if receiver.refuses(line)]
    times = Counter(receiver.lines)
    assert set(times) == set(lines(range(2000))) - set(letters)
    assert set(times.values()) == {1, 2}
    assert times.total() - len(times) < 1000 + 10 * 25


def test_batches_are_full_again_once_none_is_rejected(log: Path, state: Path) -> None:
    receiver = Receiver()
    receiver.refuses = lambda line: '/shop/1"' in line
    append(log, range(12_000))
    with listening(receiver.take) as counterpart:
        once(log, state, to="otlp", url=counterpart.url)
    sizes = [
        len(scope.log_records)
        for asked in receiver.requests
        for resource in asked.resource_logs
        for scope in resource.scope_logs
    ]
    assert max(sizes[1001:]) == 1000
    assert len(receiver.lines) == 12_000 - 1 + 999


def test_a_receiver_that_rejects_an_impossible_number_has_taken_all(log: Path, state: Path) -> None:
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = -1
    append(log, range(3))
    with listening(lambda request: (200, {}, answer.SerializeToString())) as counterpart:
        once(log, state, to="otlp", url=counterpart.url)
    assert ndjson(state / "dead-letters.ndjson") == []
    assert len(counterpart.requests) == 1


def test_headers_come_from_the_usual_variable(
    log: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver()
    append(log, [1])
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b,x-team=edge")
    with listening(receiver.take) as counterpart:
        once(log, state, to="otlp", url=counterpart.url, token="t")
    assert receiver.headers["api-key"] == "a b"
    assert receiver.headers["x-team"] == "edge"
    assert receiver.headers["authorization"] == "Bearer t"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "se-cret")
    with pytest.raises(ShipError, match="must be like name=value") as told:
        once(log, state, to="otlp", url=counterpart.url)
    assert "se-cret" not in str(told.value)


def test_what_a_json_receiver_rejects_is_known(log: Path, state: Path) -> None:
    said = b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"too long"}}'
    append(log, [1])
    with listening(lambda request: (200, _JSON, said)) as counterpart:
        once(log, state, to="otlp", url=counterpart.url)
    (letter,) = ndjson(state / "dead-letters.ndjson")
    assert letter["reason"] == "too long"


@pytest.mark.system
def test_killed_at_random_a_receiver_has_each_line_and_dead_letters_are_exact(
    log: Path, state: Path
) -> None:
    receiver = Receiver()
    receiver.refuses = lambda line: '99"' in line.partition("RequestInURL=")[2][:20]
    with listening(receiver.take) as counterpart:
        written = killed_at_random(
            log,
            state,
            counterpart,
            progress=lambda: counterpart.met,
            to="otlp",
            url=counterpart.url,
            timeout=0.5,
        )
    refused = [line for line in lines(range(written)) if receiver.refuses(line)]
    letters = [letter["line"] for letter in ndjson(state / "dead-letters.ndjson")]
    assert Counter(letters) == Counter(refused)
    assert set(receiver.lines) == set(lines(range(written))) - set(refused)
    assert ndjson(state / "gaps.ndjson") == []
