"""What is shipped for programs that follow the file: Alloy, Promtail, Fluent Bit, Vector, the
OpenTelemetry Collector.

None of them installs from a package registry, so that none runs here. Vector's program runs in
Vector's own language, from PyPI. The others' expressions run over a hostile log: those of Go's RE2
in ClickHouse's RE2, Fluent Bit's in Python's; and each file is read by its format's grammar.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gatewaylog.ship.loki import _METADATA
from tests.integrations import hostile_log
from tests.integrations.alloy_syntax import Block, Reference, parse
from tests.integrations.tools import SHIPPED, run, tool
from tests.requirements import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

LABELS = {"node", "event", "api"}
GO_LAYOUT = "2006-01-02T15:04:05.000-0700"
ALLOY = SHIPPED / "loki" / "config.alloy"
_RE2 = """
import sys, chdb
for row in sys.stdin:
    print(chdb.query(row, "JSONEachRow"), end="")
"""


def shipped(path: str) -> Any:
    return yaml.safe_load((SHIPPED / path).read_text())


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "api-access.log"
    hostile_log.write(path)
    return path


def lines_of(log: Path) -> list[bytes]:
    return log.read_bytes().split(b"\n")[:-1]


def told(raw: bytes) -> dict[str, str]:
    """What a stream's labels and a line's metadata must be: as our own shipper has them, but as
    they are written.
    """
    fields = hostile_log.written(raw)
    wanted = {"node": "AM", "event": fields["Event"], "api": fields.get("API", "")}
    wanted |= {name: fields.get(key, "") for name, key in _METADATA.items()}
    return {name: value for name, value in wanted.items() if value}


def by_re2(log: Path, *expressions: str) -> list[dict[str, str]]:
    """What expressions with named groups find in each line, where they match at all."""
    if importlib.util.find_spec("chdb") is None:
        missing("NOT TESTED: expressions of Alloy, Promtail, otelcol in RE2: chdb is not installed")
    found: dict[str, dict[str, str]] = {}
    columns = []
    for number, expression in enumerate(expressions):
        quoted = expression.replace("\\", "\\\\").replace("'", "\\'")
        columns.append(f"extractGroups(line, '{quoted}') AS found{number}")
    query = f"SELECT line, {', '.join(columns)} FROM file('{log}', LineAsString, 'line String')"
    done = subprocess.run(
        [sys.executable, "-c", _RE2], input=query, capture_output=True, text=True, check=True
    )
    for row in map(json.loads, done.stdout.splitlines()):
        groups: dict[str, str] = {}
        for number, expression in enumerate(expressions):
            names = re.findall(r"\(\?P<(\w+)>", expression)
            values = row[f"found{number}"]
            groups |= dict(zip(names, values, strict=True)) if values else {}
        found[row["line"]] = groups
    return [found[line.decode()] for line in lines_of(log)]


def blocks(block: Block) -> Iterator[Block]:
    for inner in block.blocks:
        yield inner
        yield from blocks(inner)


def references(value: object) -> Iterator[str]:
    if isinstance(value, Reference):
        yield value.path
    for inner in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from references(inner)


@pytest.fixture(scope="module")
def alloy() -> Block:
    return parse(ALLOY.read_text())


def test_alloy_is_read_and_each_block_feeds_the_next(alloy: Block) -> None:
    assert [block.name for block in alloy.blocks] == [
        "local.file_match",
        "loki.source.file",
        "loki.process",
        "loki.write",
    ]
    known = {block.path for block in alloy.blocks}
    used = {
        path.rpartition(".")[0]
        for block in blocks(alloy)
        for value in block.attributes.values()
        for path in references(value)
    }
    assert used == known - {"loki.source.file.gatewaylog"}


@pytest.mark.parametrize(
    "wrong", ["a {", "a = }", 'a = "b', "a b", "a = [1 2]", "a = {b 1}", "!", "}"]
)
def test_what_is_none_of_alloys_syntax_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"due|line 1|ends"):
        parse(wrong)


def stages_of_alloy(alloy: Block) -> list[tuple[str, dict[str, Any]]]:
    (process,) = (block for block in alloy.blocks if block.name == "loki.process")
    return [(stage.name.removeprefix("stage."), stage.attributes) for stage in process.blocks]


def stages_of_promtail() -> list[tuple[str, dict[str, Any]]]:
    (scrape,) = shipped("loki/promtail.yaml")["scrape_configs"]
    names = {"labeldrop": "label_drop"}
    return [
        (names.get(name, name), value)
        for s in scrape["pipeline_stages"]
        for name, value in s.items()
    ]


def assert_tells(log: Path, stages: list[tuple[str, dict[str, Any]]], *, inner: bool) -> None:
    """Run the pipeline's stages over the log."""
    found = by_re2(log, *(stage["expression"] for name, stage in stages if name == "regex"))
    last = {name: stage for name, stage in stages if name != "regex"}
    chosen = {
        name: set(last[name]["values"] if inner else last[name])
        for name in ("labels", "structured_metadata")
    }
    assert chosen == {"labels": LABELS, "structured_metadata": set(_METADATA)}
    assert last["timestamp"] == {"source": "time", "format": GO_LAYOUT}
    assert len(found) == hostile_log.COUNT
    for raw, groups in zip(lines_of(log), found, strict=True):
        assert groups.pop("time") == raw.decode().partition(" ")[0]
        assert groups == told(raw)


def test_alloys_stages_tell_of_each_line_what_it_says(alloy: Block, log: Path) -> None:
    assert_tells(log, stages_of_alloy(alloy), inner=True)


def test_promtails_stages_tell_of_each_line_what_it_says(log: Path) -> None:
    assert_tells(log, stages_of_promtail(), inner=False)


def test_promtails_stages_are_those_of_alloy(alloy: Block) -> None:
    def expressions(stages: list[tuple[str, dict[str, Any]]]) -> list[str]:
        return [stage["expression"] for name, stage in stages if name == "regex"]

    assert expressions(stages_of_promtail()) == expressions(stages_of_alloy(alloy))


def test_fluent_bits_parser_tells_of_each_line_what_it_says(log: Path) -> None:
    settings = shipped("loki/fluent-bit.yaml")
    (parser,) = settings["parsers"]
    expression = re.compile(parser["regex"].replace("(?<", "(?P<"))
    form = parser["time_format"].replace("%S.%L", "%S.%f")
    for raw in lines_of(log):
        match = expression.match(raw.decode())
        assert match
        found = {name: value for name, value in match.groupdict().items() if value}
        time = datetime.strptime(found.pop(parser["time_key"]), form).astimezone()
        assert time == hostile_log.read(raw).time
        assert found == told(raw)


def test_fluent_bit_sends_the_line_alone_with_the_labels_of_our_shipper() -> None:
    settings = shipped("loki/fluent-bit.yaml")
    (output,) = settings["pipeline"]["outputs"]
    (tail,) = settings["pipeline"]["inputs"]
    (filtered,) = settings["pipeline"]["filters"]
    named = dict(pair.split("=") for pair in output["labels"].split(", "))
    about = dict(pair.split("=") for pair in output["structured_metadata"].split(", "))
    assert named == {"job": "gatewaylog"} | {name: f"${name}" for name in LABELS}
    assert about == {name: f"${name}" for name in _METADATA}
    assert set(output["remove_keys"].split(", ")) == LABELS | set(_METADATA)
    assert (filtered["key_name"], filtered["preserve_key"]) == (tail["key"], True)
    assert {filtered["match"], output["match"]} == {tail["tag"]}
    assert filtered["parser"] == settings["parsers"][0]["name"]


def test_vectors_program_gives_every_field_of_every_line(log: Path, tmp_path: Path) -> None:
    (program := tmp_path / "program.vrl").write_text(
        shipped("vector/vector.yaml")["transforms"]["parsed"]["source"]
    )
    script = Path(__file__).with_name("run_vrl.py")
    events = [json.loads(row) for row in run(tool("vrl"), script, program, log).splitlines()]
    assert len(events) == hostile_log.COUNT
    for raw, event in zip(lines_of(log), events, strict=True):
        line = hostile_log.read(raw)
        at = datetime.fromisoformat(event["timestamp"].removesuffix(" UTC") + "+00:00")
        assert at == line.time
        assert event["message"].encode() == raw
        written = hostile_log.written(raw)
        wanted = {key: as_text(value) for key, value in written.items() if value != "null"}
        assert event["fields"] == wanted
        assert event["labels"] | event["metadata"] == {
            name: as_text(value) for name, value in told(raw).items()
        }


def as_text(body: str) -> str:
    """A value decoded, or as it is written where it is no text."""
    value = str(json.loads(f'"{body}"'))
    return body if any("\ud800" <= character <= "\udfff" for character in value) else value


def test_vectors_program_lets_a_line_pass_that_is_none_of_ours(tmp_path: Path) -> None:
    (program := tmp_path / "program.vrl").write_text(
        shipped("vector/vector.yaml")["transforms"]["parsed"]["source"]
    )
    (lines := tmp_path / "lines").write_text('nothing\nnothing Event="ERROR"\n')
    script = Path(__file__).with_name("run_vrl.py")
    events = [json.loads(row) for row in run(tool("vrl"), script, program, lines).splitlines()]
    assert events == [{"message": "nothing"}, {"message": 'nothing Event="ERROR"'}]


@pytest.mark.parametrize("path", ["vector/vector.yaml", "opentelemetry/collector.yaml"])
def test_what_a_part_is_fed_by_is_there(path: str) -> None:
    settings = shipped(path)
    if "service" in settings:
        (pipeline,) = settings["service"]["pipelines"].values()
        for kind in ("receivers", "processors", "exporters"):
            assert list(settings[kind]) == pipeline[kind]
        assert list(settings["extensions"]) == settings["service"]["extensions"]
    else:
        assert settings["transforms"]["parsed"]["inputs"] == list(settings["sources"])
        assert settings["sinks"]["loki"]["inputs"] == list(settings["transforms"])


OF_OTEL = {
    "gatewaylog.api": "API",
    "gatewaylog.event": "Event",
    "gatewaylog.message_id": "MessageID",
    "gatewaylog.response_to": "ResponseTo",
    "gatewaylog.error_source": "ErrorSource",
    "gatewaylog.request_out.url": "RequestOutURL",
    "http.response.status_code": "StatusCode",
    "http.request.method": "RequestInMethod",
    "url.original": "RequestInURL",
    "user_agent.original": "UserAgent",
    "client.address": "RemoteIP",
    "user.name": "END_USER_NAME",
    "error.type": "ERROR_CODE",
}


def test_the_collectors_operators_give_the_semantic_conventions(log: Path) -> None:
    operators = shipped("opentelemetry/collector.yaml")["receivers"]["file_log"]["operators"]
    parsers = [found for found in operators if found["type"] == "regex_parser"]
    for raw, found in zip(lines_of(log), by_re2(log, *(p["regex"] for p in parsers)), strict=True):
        fields = hostile_log.written(raw)
        for operator in operators:
            operate(operator, found)
        assert found.pop("trace", "") == fields.get("TraceID", "")
        assert found.pop("gatewaylog.node") == "AM"
        assert found == {
            name: fields[key] for name, key in OF_OTEL.items() if fields.get(key, "null") != "null"
        }


def operate(operator: dict[str, Any], found: dict[str, str]) -> None:
    """Do to attributes what an operator of the Collector does."""
    if (condition := operator.get("if")) is not None:
        name, compared, value = re.fullmatch(
            r'attributes\["(.+?)"\] (==|!=) (.+)', condition
        ).groups()  # type: ignore[union-attr]
        if (found.get(name) == json.loads(value.replace("nil", "null"))) != (compared == "=="):
            return
    if operator["type"] == "remove":
        del found[attribute(operator["field"])]
    elif operator["type"] == "move":
        found[attribute(operator["to"])] = found.pop(attribute(operator["from"]))
    elif operator["type"] == "trace_parser":
        found["trace"] = found[attribute(operator["trace_id"]["parse_from"])]
    else:
        assert operator["type"] == "regex_parser"


def attribute(path: str) -> str:
    return re.fullmatch(r'attributes\["(.+)"\]', path)[1]  # type: ignore[index]


def test_the_collector_takes_time_and_severity_from_the_line() -> None:
    (first, *_) = shipped("opentelemetry/collector.yaml")["receivers"]["file_log"]["operators"]
    assert (first["timestamp"]["layout_type"], first["timestamp"]["layout"]) == (
        "gotime",
        GO_LAYOUT,
    )
    assert first["severity"]["mapping"] == {
        "info": ["INCOMING_REQUEST", "REQUEST_COMPLETE"],
        "warn": "LOG_LOSS",
        "error": "ERROR",
    }


@pytest.mark.parametrize(
    "path",
    [
        "loki/config.alloy",
        "loki/promtail.yaml",
        "loki/fluent-bit.yaml",
        "vector/vector.yaml",
        "opentelemetry/collector.yaml",
    ],
)
def test_all_follow_the_log_that_the_units_write(path: str) -> None:
    assert "/var/log/gatewaylog/api-access.log" in (SHIPPED / path).read_text()
