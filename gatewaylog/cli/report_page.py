"""The page of `gatewaylog report`: what the log holds, and the main reports in short."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gatewaylog.cli.output import Screen, charts, tables
from gatewaylog.cli.output.lines import json_of, records
from gatewaylog.cli.output.units import counted, number, percent
from gatewaylog.cli.reports import ACTIVITY, ON_PAGE, PAGE, SUMMARY, Report
from gatewaylog.cli.terminal import painted
from gatewaylog.search.values import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.search import Result
    from gatewaylog.search.values import Record


def page_of() -> dict[str, Report]:
    """Return the reports of the page, by name: what `show_page` is given the results of."""
    parts = {"summary": SUMMARY, "activity": ACTIVITY}
    for name, report in PAGE.items():
        parts[name] = report._replace(query=f"{report.query} | head {ON_PAGE}")
    return parts


def show_page(results: Iterable[Result], output: str) -> None:
    """Print the page: for a person, or as rows of which each names its report."""
    screen = Screen.of_output()
    named = zip(page_of().items(), results, strict=True)
    if output == "json":
        _print_json(_rows((name, result) for (name, _), result in named))
    elif output == "ndjson" or (output == "auto" and not screen.terminal):
        for row in _rows((name, result) for (name, _), result in named):
            print(json_of(row))
    else:
        for (name, report), result in named:
            _SHOWN.get(name, _show_table)(report, result, screen)


def _rows(named: Iterable[tuple[str, Result]]) -> Iterator[Record]:
    for name, result in named:
        for record in records(result):
            yield {"report": name, **record}


def _print_json(rows: Iterable[Record]) -> None:
    print("[\n" + ",\n".join(map(json_of, rows)) + "\n]")


def _show_summary(report: Report, result: Result, screen: Screen) -> None:
    """Print the counts as one or two lines."""
    found = next(result.rows, {})
    count = {name: number_of(found.get(name)) or 0 for name in result.columns or ()}
    ended = count["completed"] + count["errors"]
    _title(f"{found.get('from', '')} – {found.get('to', '')}" if ended else report.title, screen)
    failed = f" ({percent(100 * count['errors'] / ended)})" if ended else ""
    errors = _alarming(counted(count["errors"], "error") + failed, count["errors"], screen)
    print(
        f"{counted(count['requests'], 'request')}   {number(count['completed'])} completed   "
        f"{errors}   {counted(count['apis'], 'API')}   {counted(count['clients'], 'client')}"
    )


def _alarming(text: str, errors: float, screen: Screen) -> str:
    return painted(text, "red" if errors and screen.colour else None)


def _show_activity(report: Report, result: Result, screen: Screen) -> None:
    rows = list(result.rows)
    if rows:
        print()
        _title(report.title, screen)
        charts.show(replace(result, rows=iter(rows)), screen, apart=True)


def _show_table(report: Report, result: Result, screen: Screen) -> None:
    print()
    rows = list(result.rows)
    more = f", the first {ON_PAGE}" if len(rows) == ON_PAGE else ""
    _title(f"{report.title}{more}", screen)
    shown = replace(result, rows=iter(rows))
    look = tables.Look(units=report.units, spare=report.spare, folded=False, nothing="none")
    tables.show(shown, screen, look)


def _title(text: str, screen: Screen) -> None:
    print(painted(text, "bold" if screen.colour else None))


_SHOWN = {"summary": _show_summary, "activity": _show_activity}
