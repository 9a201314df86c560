"""The cache of big logs, as `search` uses it: made at once for --engine duckdb, else afterwards."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING

from gatewaylog.cli.verbs import WrongCall
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gatewaylog.reader import Source
    from gatewaylog.search import Plan

ENGINE = "duckdb"
_MISSING = "search: --engine duckdb needs DuckDB: pip install 'gatewaylog[analytics]'"


def check_query(plan: Plan, *, unread: bool) -> None:
    """Raise QueryError, or WrongCall for --unread, where DuckDB can't take a query."""
    from gatewaylog.search import QueryError, hindrance

    if unread:
        raise WrongCall("search: --unread is not for --engine duckdb; --engine pure takes it")
    if problem := hindrance(plan):
        message = f"--engine {ENGINE} takes queries that count: {problem.message}"
        raise QueryError(
            problem.query, problem.position, problem.length, message, ["--engine pure takes all"]
        )


def make(sources: Mapping[str, Sequence[Source]]) -> None:
    """Have all of `sources` in caches, by all processors. Raises WrongCall for what has none."""
    from gatewaylog.analytics.building import build
    from gatewaylog.analytics.duck import is_installed

    if not is_installed():
        raise WrongCall(_MISSING)
    for source in chain(*sources.values()):
        if source.is_pipe:
            raise WrongCall(f"search: --engine duckdb needs files: {source.name} is none")
        if not build(source, workers=os.cpu_count() or 1, wait=True):
            notice(f"{source.name}: no cache can be made of it: it is read line by line")


def make_later(sources: Mapping[str, Sequence[Source]]) -> None:
    """Have caches made of what is worth it, by a process that nobody waits for."""
    from gatewaylog.analytics.background import start

    start(chain(*sources.values()))
