"""The Splunk add-on: checked by splunk-appinspect, its rules tried on a log by other means.

Splunk itself installs from no package registry. Its extractions are regular expressions, tried
here by Python's; its EVALs and the dashboard's searches run in gatewaylog's own search.
"""

from __future__ import annotations

import configparser
import gzip
import io
import json
import re
import tarfile
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from tests.integrations import hostile_log
from tests.integrations.tools import ROOT, SHIPPED, run, tool
from tests.search.access_log import LINES, searched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = SHIPPED / "splunk" / "TA-gatewaylog"
BUILD = SHIPPED / "splunk" / "build"
SEED = (
    "INCOMING_REQUEST | timechart count by API",
    "API=*Echo*",
    "NOT API=*Echo*",
    'RequestInURL="*CCES*"',
    'NOT INCOMING_REQUEST | eval result=if(Event=="REQUEST_COMPLETE", "Success", ERROR_MESSAGE)'
    " | chart count by API, result",
    "StatusCode=404 | stats count by RequestInURL",
)


def conf(name: str) -> configparser.RawConfigParser:
    read = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",), strict=True)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((APP / "default" / f"{name}.conf").read_text())
    return read


PROPS = conf("props")["gatewaylog:access"]


def extracted(line: str) -> dict[str, str]:
    """What the add-on's transforms find in a line."""
    transforms, found = conf("transforms"), {}
    prefix = transforms["gatewaylog_prefix"]
    match = re.search(prefix["REGEX"], line)
    assert match
    for pair in prefix["FORMAT"].split():
        name, _, group = pair.partition("::$")
        found[name] = match[int(group)]
    pairs = transforms["gatewaylog_pairs"]
    assert pairs["FORMAT"] == "$1::$2"
    return found | dict(re.findall(pairs["REGEX"], line))


@pytest.fixture(scope="module")
def lines() -> tuple[bytes, ...]:
    return hostile_log.lines()


def test_events_break_where_lines_do_and_nowhere_else(lines: tuple[bytes, ...]) -> None:
    whole = b"\n".join(lines).decode()
    for breaker in (PROPS["LINE_BREAKER"], PROPS["EVENT_BREAKER"]):
        assert re.split(breaker, whole)[::2] == [line.decode() for line in lines]
    assert PROPS["SHOULD_LINEMERGE"] == "false"
    assert max(map(len, lines)) < int(PROPS["TRUNCATE"])


def test_the_time_is_the_lines_own(lines: tuple[bytes, ...]) -> None:
    form = PROPS["TIME_FORMAT"].replace("%3N", "%f")
    for raw in lines[::100]:
        at = re.match(PROPS["TIME_PREFIX"], raw.decode())
        assert at
        text = raw.decode()[at.end() : at.end() + int(PROPS["MAX_TIMESTAMP_LOOKAHEAD"])]
        assert datetime.strptime(text, form).astimezone() == hostile_log.read(raw).time


@pytest.mark.system
def test_every_pair_of_a_hostile_log_is_extracted_and_no_other(lines: tuple[bytes, ...]) -> None:
    for raw in lines:
        found = extracted(raw.decode())
        line = hostile_log.read(raw)
        prefix = {key: found.pop(key) for key in ("node", "thread", "logger", "level")}
        assert prefix == {key: getattr(line, key) for key in prefix}
        assert found == hostile_log.written(raw)


def test_wso2s_own_lines_are_extracted() -> None:
    lines = (ROOT / "tests" / "fixtures" / "seed_lines.txt").read_bytes().splitlines()
    assert lines
    for raw in lines:
        found = extracted(raw.decode())
        for key in ("node", "thread", "logger", "level"):
            assert found.pop(key) == getattr(hostile_log.read(raw), key)
        assert found == hostile_log.written(raw)


def evaluated(expression: str, fields: dict[str, str]) -> object:
    """Run an EVAL in gatewaylog's search; what is around it, urldecode, is Python's unquote."""
    inner = re.fullmatch(r"urldecode\((.*)\)", expression)
    text = ", ".join(
        f'{key}="{value}"'
        for key, value in ({"Event": "ERROR"} | fields).items()
        if key not in {"node", "thread", "logger", "level"}
    )
    prefix = "2017-05-26T13:23:25.118-0700 [AM][t]{gatewaylog.AccessLogWriter}[-] INFO  "
    query = f"* | eval x={inner[1] if inner else expression} | table x"
    # The search decodes what it reads, and Splunk does not: so backslashes are written twice.
    raw = (prefix + text.replace("\\", "\\\\")).encode()
    (row,) = searched(query, [raw]).rows
    value = row.get("x")
    return unquote(str(value), errors="strict") if inner and value is not None else value


def as_decoded(value: str) -> str:
    """A value with those escapes decoded that the add-on promises to decode."""
    kept = r"\\u(?!00(?:0[1-9a-f]|[1-7][0-9a-f]))[0-9a-f]{4}"
    return str(json.loads('"' + re.sub(rf"(\\\\)|({kept})", _kept, value) + '"'))


def _kept(found: re.Match[str]) -> str:
    return found[1] or "\\" + found[2]


@pytest.mark.system
def test_the_escapes_of_values_are_decoded(lines: tuple[bytes, ...]) -> None:
    tried = set()
    for raw in lines[:600]:
        fields = hostile_log.written(raw)
        for key in ("UserAgent", "RequestInURL", "RequestOutURL", "END_USER_NAME"):
            value = fields.get(key, "")
            if "\\" not in value and "%" not in value and "+" not in value:
                continue
            tried.add(value)
            assert evaluated(PROPS[f"EVAL-{key}"], {key: value}) == as_decoded(value), value
    assert len(tried) > 100


CIM = {
    "action": ("success", None, "failure"),
    "dest": ("backend.example", "AM", "AM"),
    "status": ("200", None, "502"),
    "src": ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
    "uri_path": ("/echo/1", "/echo/1", "/echo/1"),
    "uri_query": ("q=1?", "q=1?", "q=1?"),
    "url": ("/echo/1?q=1?",) * 3,
    "http_method": ("GET",) * 3,
    "bytes": (12, None, 12),
    "user": (None, None, None),
    "vendor_product": ("gatewaylog",) * 3,
}
CALL = {"API": "a--B:v1", "RequestInURL": "/echo/1?q=1?", "RequestInMethod": "GET"}
ENDED = {"END_USER_NAME": "null", "BytesIn": "5", "BytesOut": "7", "node": "AM"}
EVENTS = (
    CALL
    | ENDED
    | {"Event": "REQUEST_COMPLETE", "StatusCode": "200", "RemoteIP": "192.0.2.7"}
    | {"RequestOutURL": "https://backend.example:8443/x?y"},
    CALL | {"Event": "INCOMING_REQUEST", "RemoteIP": "192.0.2.7", "node": "AM"},
    CALL | ENDED | {"Event": "ERROR", "StatusCode": "502", "RemoteIP": "192.0.2.7"},
)


@pytest.mark.parametrize("name", CIM)
def test_the_fields_of_cim_web(name: str) -> None:
    expression = PROPS[f"EVAL-{name}"].replace("node", '"AM"')
    assert tuple(evaluated(expression, event) for event in EVENTS) == CIM[name]


def test_no_eval_uses_what_another_one_makes() -> None:
    made = {key.removeprefix("EVAL-") for key in PROPS if key.startswith("EVAL-")}
    seed = {key for key in made if key[0].isupper()}
    for key, expression in PROPS.items():
        if key.startswith("EVAL-"):
            used = set(re.findall(r"[A-Za-z_]+", re.sub(r'"[^"]*"', "", expression)))
            assert not used & (made - seed) - {"null", "urldecode"}, key


def test_only_the_end_of_a_call_is_tagged_web() -> None:
    tags, types = conf("tags"), conf("eventtypes")
    (tagged,) = tags.sections()
    search = types[tagged.removeprefix("eventtype=")]["search"]
    events = re.findall(r"Event=(\w+)", search)
    assert set(events) == {"REQUEST_COMPLETE", "ERROR"}


def dashboard() -> ET.Element:
    return ET.parse(APP / "default" / "data" / "ui" / "views" / "gatewaylog.xml").getroot()


def queries(**tokens: str) -> Iterator[str]:
    """The dashboard's searches as they are sent with these inputs."""
    for query in dashboard().iter("query"):
        text = query.text or ""
        for name, value in tokens.items():
            text = text.replace(f"${name}|s$", f'"{value}"')
        assert "$" not in text
        yield text


def test_the_dashboard_has_the_searches_of_the_page() -> None:
    assert dashboard().get("version") == "1.1"
    inputs = {str(found.get("token")) for found in dashboard().iter("input")}
    assert inputs == {"span", "api", "without", "url"}
    shown = [
        query.replace("`gatewaylog` ", "").replace(" | sort - count", "")
        for query in queries(api="*Echo*", without="*Echo*", url="*CCES*")
    ]
    plain = [text.replace('="*Echo*"', "=*Echo*") for text in shown]
    both = "API=*Echo* NOT API=*Echo* "
    assert {text.replace(both, "") for text in plain} >= set(SEED)


@pytest.mark.parametrize("query", list(queries(api="*", without="none", url="*")))
def test_a_search_of_the_dashboard_finds_something(query: str) -> None:
    text = query.replace("`gatewaylog`", conf("macros")["gatewaylog"]["definition"])
    found = list(searched(text.replace('sourcetype="gatewaylog:access"', "*"), LINES).rows)
    assert found


def test_the_archive_is_the_same_each_time(tmp_path: Path) -> None:
    first = built(tmp_path).read_bytes()
    assert built(tmp_path).read_bytes() == first
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first))) as tar:
        assert {entry.mode for entry in tar if entry.isfile()} == {0o644}
        names = {entry.name for entry in tar if entry.isfile()}
    shipped = {str(path.relative_to(APP.parent)) for path in APP.rglob("*") if path.is_file()}
    assert names == shipped


def built(folder: Path) -> Path:
    return folder / run(BUILD, folder).strip().rpartition("/")[2]


@pytest.mark.system
@pytest.mark.parametrize("tag", ["splunk_appinspect", "cloud", "private_victoria"])
def test_appinspect_finds_nothing(tag: str, tmp_path: Path) -> None:
    archive, report = built(tmp_path), tmp_path / "report.json"
    inspect = ("inspect", archive, "--mode", "precert", "--included-tags", tag)
    run(tool("splunk-appinspect"), *inspect, "--output-file", report, "--data-format", "json")
    summary = json.loads(report.read_text())["summary"]
    assert summary["success"] > 50
    assert {key: summary[key] for key in ("error", "failure", "future_failure", "warning")} == {
        "error": 0,
        "failure": 0,
        "future_failure": 0,
        "warning": 0,
    }
