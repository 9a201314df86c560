"""The fields of the events, and which of them stand on every line."""

from __future__ import annotations

import pytest

from gatewaylog.events import (
    ERROR,
    INCOMING_REQUEST,
    LAYOUTS,
    LOG_LOSS,
    REQUEST_COMPLETE,
    RESERVED,
    Layout,
)

ALWAYS = {
    "INCOMING_REQUEST": "MessageID API RequestInURL RequestInMethod UserAgent RemoteIP",
    "REQUEST_COMPLETE": "MessageID API APPLICATION_NAME END_USER_NAME StatusCode RequestOutURL"
    " RequestOutMethod RequestInURL RequestInMethod UserAgent RemoteIP Outcome DurationMs BytesIn"
    " BytesOut",
    "ERROR": "ErrorSource MessageID StatusCode ERROR_CODE ERROR_MESSAGE RequestInURL"
    " RequestInMethod UserAgent RemoteIP Outcome DurationMs BytesIn BytesOut",
    "LOG_LOSS": "MessageID Count From To Reason",
}
# Python keeps `from` to itself, and a tuple has a `count` already.
RENAMED = {"count": "lost", "from": "first", "to": "last"}


def snake(key: str) -> str:
    for word in ("URL", "ID", "IP", "API"):
        key = key.replace(word, word.title())
    words = "".join(f"_{c}" if c.isupper() else c for c in key) if "_" not in key else f"_{key}"
    return words[1:].lower()


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_each_value_of_the_tuple_has_its_field(layout: Layout) -> None:
    assert layout.kind._fields[-1] == "extra"
    names = [snake(field.key) for field in layout.fields]
    renamed = RENAMED if layout is LOG_LOSS else {}
    assert [renamed.get(name, name) for name in names] == list(layout.kind._fields[:-1])
    assert layout.kind() == layout.kind._make([None] * len(layout.fields) + [()])


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_what_stands_on_every_line_is_what_the_specification_says(layout: Layout) -> None:
    always = [field.key for field in layout.fields if field.always]
    assert always == ALWAYS[layout.name].split()


def test_the_kinds_of_numbers_are_those_of_the_specification() -> None:
    numbers = {f.key: f.kind for layout in LAYOUTS for f in layout.fields if f.kind is not str}
    assert numbers == {
        **dict.fromkeys(("StatusCode", "BytesIn", "BytesOut", "Attempts"), int),
        **dict.fromkeys(("Count", "From", "To"), int),
        **dict.fromkeys(("DurationMs", "BackendMs"), float),
    }


def test_the_name_stands_where_the_seeds_samples_have_it() -> None:
    assert (INCOMING_REQUEST.before_name, REQUEST_COMPLETE.before_name) == (0, 0)
    assert ERROR.before_name == 1


def test_no_name_that_the_log_writes_is_free() -> None:
    written = {field.key for layout in LAYOUTS for field in layout.fields}
    assert written | {"Event", "Writer", "Seq", "Truncated", "Chain"} <= RESERVED
