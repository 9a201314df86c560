"""Splunk's search language, as far as an access log needs it: query, tree, plan, rows.

`compile_query` gives a `Plan`, whose `run` makes a `Result` of rows; `row_reader` and `row_of` make
rows of lines. Nothing here knows of files or terminals.
"""

from __future__ import annotations

from gatewaylog.search.gathering import Gathering, gathering_of, hindrance
from gatewaylog.search.plan import Plan, Result, compile_query
from gatewaylog.search.prefilter import Prefilter
from gatewaylog.search.query_error import QueryError
from gatewaylog.search.rows import Row, row_of, row_reader
from gatewaylog.search.timespan import moment
from gatewaylog.search.together import Together

__all__ = [
    "Gathering",
    "Plan",
    "Prefilter",
    "QueryError",
    "Result",
    "Row",
    "Together",
    "compile_query",
    "gathering_of",
    "hindrance",
    "moment",
    "row_of",
    "row_reader",
]
