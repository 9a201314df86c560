"""Which output a result is shown in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from gatewaylog.search import Result

OUTPUTS = ("auto", "table", "chart", "json", "ndjson", "csv", "parquet", "raw")
TABLES = tuple(kind for kind in OUTPUTS if kind not in {"chart", "raw"})
_CHARTS = ("chart", "timechart")


def chosen(output: str, result: Result, *, verb: str, terminal: bool) -> str:
    """Return what `output` means for `result`: one of OUTPUTS but auto, or "events".

    Raises WrongCall.
    """
    refuse_parquet(output, verb)
    if output == "chart" and result.columns is None:
        raise WrongCall(f"{verb}: --output chart needs a chart, timechart, stats or top")
    if output == "raw" and result.columns is not None:
        raise WrongCall(f"{verb}: --output raw needs events: a {result.kind} has no lines")
    if output != "auto":
        return output
    if not terminal:
        return "ndjson"
    if result.columns is None:
        return "events"
    return "chart" if result.kind in _CHARTS and result.axis else "table"


def refuse_parquet(output: str, verb: str) -> None:
    """Raise WrongCall for Parquet at a terminal, or without DuckDB."""
    if output != "parquet":
        return
    if sys.stdout.isatty():
        raise WrongCall(f"{verb}: parquet is nothing for a terminal: > FILE.parquet")
    check_parquet(verb)


def check_parquet(verb: str) -> None:
    """Raise WrongCall without DuckDB."""
    from gatewaylog.analytics.duck import is_installed

    if not is_installed():
        raise WrongCall(f"{verb}: parquet needs DuckDB: pip install 'gatewaylog[analytics]'")
