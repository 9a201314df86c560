"""Events that hold anything, for the tests of all formats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st

from gatewaylog.events import LAYOUTS, RESERVED, Event, Layout
from gatewaylog.formats import LineOptions

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# A busy machine is no failure.
settings.register_profile("gatewaylog", deadline=None)
settings.load_profile("gatewaylog")

NOW = 1495830205.118
ROOMY = LineOptions(max_value_length=10**6, max_line=10**7)
TEMPTING = (
    *("null", "", '"', "\\", '\\"', "\\u0022", "\\u006eull", '", Event="ERROR', "\n", "\r\n"),
    *("\x85", "\u2028", "\u2029", "\x1c", "\x0b", "\x0c", "\x00", "\x7f", "\u202e", "\u061c"),
    *("\udcff", "\ud800", " ", "=", ", ", "{", "}", "]", "é", "😀", "%", "/a?b=c", "\ufeff"),
)
# A high and a low surrogate side by side are one character to every reader of JSON. Text that
# was bytes never has them: PEP 383 makes low ones alone.
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")

text = st.one_of(
    st.sampled_from(TEMPTING),
    st.lists(st.sampled_from(TEMPTING), max_size=6).map("".join),
    st.text(st.characters(), max_size=40),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40),
).filter(lambda value: _SURROGATE_PAIR.search(value) is None)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,12}", fullmatch=True).filter(
    lambda name: name not in RESERVED
)
extras = st.lists(
    st.tuples(names, st.none() | text), max_size=3, unique_by=lambda pair: pair[0]
).map(tuple)
_OF_KIND: dict[type, SearchStrategy[object]] = {
    str: text,
    int: st.integers(-(2**63), 2**63),
    float: st.integers(0, 10**12).map(lambda thousandths: thousandths / 1000),
}


def _events_of(layout: Layout) -> SearchStrategy[Event]:
    values = [st.none() | _OF_KIND[field.kind] for field in layout.fields]
    return st.tuples(*values, extras).map(layout.kind._make)


events: SearchStrategy[Event] = st.one_of(*map(_events_of, LAYOUTS))
