from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewaylog.events import LAYOUT_NAMED
from gatewaylog.formats import FORMATS, LineOptions, Unparsed, parse_line
from gatewaylog.search import row_of, row_reader
from tests.formats.arbitrary import events
from tests.search.access_log import LINES, searched

READ = row_reader()

PLAIN = LINES[1].decode()
ODD = [
    PLAIN.replace('StatusCode="200"', 'StatusCode="abc"'),
    PLAIN.replace('StatusCode="200"', 'StatusCode="20.0"'),
    PLAIN.replace('StatusCode="200"', 'StatusCode="-1"'),
    PLAIN.replace('DurationMs="50.000"', 'DurationMs="1e3"'),
    PLAIN.replace('DurationMs="50.000"', 'DurationMs="."'),
    PLAIN.replace('DurationMs="50.000"', 'DurationMs="5."'),
    PLAIN.replace('DurationMs="50.000"', 'DurationMs="null"'),
    PLAIN.replace('API="', 'MessageID="'),
    PLAIN.replace('Event="REQUEST_COMPLETE"', 'Event="OTHER"'),
    PLAIN.replace('Event="REQUEST_COMPLETE", ', ""),
    PLAIN.replace(", API", ",  API"),
    PLAIN.replace(", API", " API"),
    PLAIN.replace("2017-05-26", "2017-13-26"),
    PLAIN.replace("-0700", "+9900"),
    PLAIN.replace("[AM]", '[A"M]'),
    PLAIN.replace("[AM]", '[A="M]'),
    PLAIN.replace('"web"', r'"we\"b"'),
    PLAIN.replace('"web"', r'"we\\"'),
    PLAIN.replace('"web"', r'"\u006eull"'),
    PLAIN.replace('"web"', '"a, API="'),
    PLAIN + " ",
    PLAIN + "\r",
    PLAIN + ", ",
    PLAIN + "x",
    PLAIN[:-1],
    PLAIN.replace("INFO  ", "INFO "),
    PLAIN.replace("INFO  ", "INFO"),
    "",
    "x",
    "{",
    "{}",
    "[" * 100_000,
    "time=2017-05-26T13:23:25Z Event=ERROR StatusCode=404 API=null",
    "2017-05-26T09:00:00.000-0700",
]


@pytest.mark.parametrize("text", ODD)
def test_a_line_is_read_as_the_formats_read_it(text: str) -> None:
    raw = text.encode()
    line = parse_line(raw)
    assert READ(raw) == (None if isinstance(line, Unparsed) else row_of(raw, line))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(LINES),
    st.integers(0, 500),
    st.sampled_from([b"", b'"', b"\\", b", ", b'="', b" ", b"=", b"\xff", b"9", b"A", b"\n"]),
    st.integers(0, 3),
)
@example(LINES[0], 29, b'"', 0)
def test_a_broken_line_is_read_as_the_formats_read_it(
    line: bytes, at: int, put: bytes, cut: int
) -> None:
    raw = line[:at] + put + line[at + cut :]
    parsed = parse_line(raw)
    assert READ(raw) == (None if isinstance(parsed, Unparsed) else row_of(raw, parsed))


@settings(max_examples=100, deadline=None)
@given(events, st.sampled_from(sorted(FORMATS)))
def test_every_event_of_every_format_is_a_row(event: object, name: str) -> None:
    raw = FORMATS[name](LineOptions()).encode(event, 1495830205.118, "t")[:-1]  # type: ignore[arg-type]
    line = parse_line(raw)
    assert not isinstance(line, Unparsed)
    row = READ(raw)
    assert row == row_of(raw, line)
    assert row.time == pytest.approx(1495830205.118)
    assert row.fields["Event"] in LAYOUT_NAMED
    assert all(row.fields.values())


def test_null_is_a_text_and_an_empty_or_missing_field_is_not_there() -> None:
    incoming, complete = READ(LINES[8]), READ(LINES[6])
    assert incoming is not None
    assert complete is not None
    assert complete.fields["END_USER_NAME"] == "null"
    assert "UserAgent" not in incoming.fields
    assert "StatusCode" not in incoming.fields


def test_a_reader_of_some_fields_reads_these_alone() -> None:
    read = row_reader({"API", "StatusCode", "nothing"})
    found = [read(line) for line in (*LINES, b'{"@timestamp":"x"}')]
    assert found[1] is not None
    assert found[1].fields == {"API": "alice--Echo:v1", "StatusCode": "200"}
    assert found[-1] is None
    assert read(_as_json(LINES[1])) == found[1]._replace(raw=_as_json(LINES[1]))


QUERIES = (
    *("StatusCode=404", "API=*echo* NOT StatusCode=200", "DurationMs=50.000", "DurationMs>40"),
    *("StatusCode=null", "UserAgent=*quoted*", "* | stats count by API StatusCode"),
    *("* | stats sum(DurationMs) by Event", "* | timechart span=1h count by API"),
    *('* | where match(UserAgent, "\\"")', "* | table _time MessageID DurationMs END_USER_NAME"),
)


@pytest.mark.parametrize("name", ["json", "logfmt"])
@pytest.mark.parametrize("query", QUERIES)
def test_a_query_gives_the_same_for_every_format(query: str, name: str) -> None:
    writer = FORMATS[name](LineOptions())
    lines = []
    for raw in LINES:
        line = parse_line(raw)
        assert not isinstance(line, Unparsed)
        lines.append(writer.write(line)[:-1])
    ours, theirs = searched(query), searched(query, lines)
    # A key without a value is written as null by these formats, and null is a text.
    wanted = [{k: v for k, v in row.items() if k != "_raw"} for row in ours.rows]
    found = [{k: v for k, v in row.items() if k != "_raw"} for row in theirs.rows]
    assert len(found) == len(wanted)
    for row, expected in zip(found, wanted, strict=True):
        assert expected.items() <= row.items()


def _as_json(raw: bytes) -> bytes:
    line = parse_line(raw)
    assert not isinstance(line, Unparsed)
    written = FORMATS["json"](LineOptions()).write(line)[:-1]
    assert json.loads(written)
    return written
