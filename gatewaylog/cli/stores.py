"""`gatewaylog search --engine clickhouse|loki`: a log that another program holds."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from gatewaylog.cli.verbs import WrongCall
from gatewaylog.notices import notice

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.remote.clickhouse import ClickHouse
    from gatewaylog.remote.http import Store
    from gatewaylog.remote.loki import Loki
    from gatewaylog.search import Plan

STORES = {"clickhouse": "ClickHouse", "loki": "Loki"}
PASSWORD = "GATEWAYLOG_SEARCH_PASSWORD"  # noqa: S105 - the name of a variable
TOKEN = "GATEWAYLOG_SEARCH_TOKEN"  # noqa: S105 - the same

# Options by the engines that know them.
_OPTIONS = {
    "url": ("clickhouse", "loki"),
    "user": ("clickhouse", "loki"),
    "ca": ("clickhouse", "loki"),
    "timeout": ("clickhouse", "loki"),
    "table": ("clickhouse",),
    "selector": ("loki",),
    "tenant": ("loki",),
}


def configure(parser: Parser) -> None:
    """Add what tells where the store is, and what proves who asks."""
    group = parser.add_argument
    group("--url", help="clickhouse, loki: where it answers, http://localhost:8123 say")
    group("--user", help=f"clickhouse, loki: a user; {PASSWORD} in the environment")
    group("--ca", metavar="PEM", help="clickhouse, loki: trust these certificates instead")
    group("--timeout", metavar="SECONDS", type=_seconds, help="clickhouse, loki: (300)")
    group("--table", help="clickhouse: the log's table (gatewaylog.events)")
    group("--selector", help='loki: the log\'s streams ({job="gatewaylog"})')
    group("--tenant", help="loki: X-Scope-OrgID")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise ArgumentTypeError("must be seconds, more than 0 and at most 86400")
    return seconds


def check(options: Namespace) -> None:
    """Raise WrongCall where options and `options.engine` don't fit."""
    for name, engines in _OPTIONS.items():
        if getattr(options, name) is not None and options.engine not in engines:
            raise WrongCall(f"search: --{name} is for --engine {' and '.join(engines)}")
    if options.engine not in STORES:
        return
    if not options.url:
        raise WrongCall(f"search: --url is missing: where {STORES[options.engine]} answers")
    if options.file or options.config:
        given = "FILE" if options.file else "--config"
        raise WrongCall(f"search: {given} is not read with --engine {options.engine}")
    if options.unread:
        raise WrongCall(f"search: --unread is for files, not for --engine {options.engine}")


def run(plan: Plan, options: Namespace) -> int:
    """Show what a query gives there."""
    from gatewaylog.cli.output import show
    from gatewaylog.cli.unread import tell_unread

    name = STORES[options.engine]
    engine = _clickhouse(options) if options.engine == "clickhouse" else _loki(plan, options)
    for index in plan.indexes:
        notice(f"index {index!r}: what {name} holds there is searched")
    show(engine.result(plan), options.output, verb="search")
    tell_unread(engine.unread)
    return 0


def _clickhouse(options: Namespace) -> ClickHouse:
    from gatewaylog.remote.clickhouse import ClickHouse
    from gatewaylog.search.clickhouse import TABLE_NAME
    from gatewaylog.search.clickhouse_table import TABLE

    table = options.table or TABLE
    if TABLE_NAME.fullmatch(table) is None:
        raise WrongCall("search: --table has to be a name, or a database's and a table's: a.b")
    return ClickHouse(_store(options, {}), table)


def _loki(plan: Plan, options: Namespace) -> Loki:
    from gatewaylog.remote.loki import ENCODING, Loki
    from gatewaylog.search.logql import SELECTOR

    if plan.earliest is None:
        raise WrongCall("search: Loki searches a span of time: --since -24h, say")
    headers = dict(ENCODING)
    if options.tenant:
        headers["X-Scope-OrgID"] = _printable(options.tenant, "tenant")
    return Loki(_store(options, headers), _selector(options.selector or SELECTOR))


def _selector(text: str) -> str:
    if not (text.startswith("{") and text.endswith("}")):
        raise WrongCall("search: --selector has to be as in LogQL: '{job=\"gatewaylog\"}'")
    return text


def _printable(text: str, name: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise WrongCall(f"search: --{name} has to be printable ASCII")
    return text


def _store(options: Namespace, headers: dict[str, str]) -> Store:
    from gatewaylog.remote.http import TIMEOUT, Secrets, store_at

    secrets = Secrets(
        user=options.user or "",
        password=os.environ.get(PASSWORD, ""),
        token=os.environ.get(TOKEN, ""),
    )
    return store_at(
        options.url,
        name=STORES[options.engine],
        secrets=secrets,
        headers=headers,
        ca=options.ca or "",
        timeout=options.timeout or TIMEOUT,
    )
