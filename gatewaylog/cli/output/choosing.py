"""Which output a result is shown in."""

from __future__ import annotations

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
    """Raise WrongCall for Parquet."""
    if output == "parquet":
        raise WrongCall(f"{verb}: parquet needs the extra analytics, which is not built yet")
