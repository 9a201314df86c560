"""`gatewaylog tokens edfi install|status|remove`: the trigger in an Ed-Fi ODS/API's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.output.choosing import TABLES, refuse_parquet
from gatewaylog.cli.output.units import counted, duration, number, size
from gatewaylog.cli.tokens import facts
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.audit.edfi import State
    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog tokens edfi install --database postgresql://admin@db/EdFi_Admin
  gatewaylog tokens edfi status --database postgresql://admin@db/EdFi_Admin
  gatewaylog tokens edfi install --print > trigger.sql        # for SQL Server
  sqlcmd -b -I -d EdFi_Admin -i trigger.sql

install logs each token that is issued from then on, never the token itself: its
reference, which is that of the calls in the gateway's log. remove keeps the rows.
status ends with 1 where the trigger is not there as it should be."""

_ACTIONS = ("install", "status", "remove")
_POSTGRESQL = ("postgresql://", "postgresql+psycopg://")
_SERVERS = ("sqlserver", "postgresql")


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("action", choices=_ACTIONS, help="what to do with the trigger")
    parser.add_argument(
        "--database", metavar="URL", default="", help="EdFi_Admin: postgresql://USER@HOST/NAME"
    )
    parser.add_argument(
        "--token-format",
        choices=("N", "D"),
        default="N",
        help="install: how clients send tokens: 32 hex digits (N, Ed-Fi's), or with hyphens (D)",
    )
    parser.add_argument(
        "--print",
        choices=_SERVERS,
        nargs="?",
        const="sqlserver",
        help="print the SQL instead, for this server (sqlserver); nothing is opened",
    )
    parser.add_argument(
        "--output", choices=TABLES, default="auto", help="status: for people, or for programs"
    )


def run(options: Namespace) -> int:
    """Do it, or print it."""
    if options.print:
        print(_script(options))
        return 0
    if not options.database.startswith(_POSTGRESQL):
        raise WrongCall(f"tokens edfi: --database {_hint(options.database)}")
    return {"install": _install, "status": _status, "remove": _remove}[options.action](options)


def _hint(url: str) -> str:
    if url.startswith("mssql"):
        return "is SQL Server's, which can't be reached from here: --print gives the SQL for sqlcmd"
    return "is needed: postgresql://USER@HOST/EdFi_Admin; for SQL Server see --print"


def _script(options: Namespace) -> str:
    from gatewaylog.audit.edfi import postgresql, sqlserver

    is_sqlserver = options.print == "sqlserver"
    if options.action == "install":
        script = sqlserver.install_script if is_sqlserver else postgresql.install_script
        return script(options.token_format)
    if options.action == "remove":
        return sqlserver.remove_script() if is_sqlserver else postgresql.remove_script()
    if not is_sqlserver:
        raise WrongCall("tokens edfi: status --print is SQL Server's; PostgreSQL is asked itself")
    return sqlserver.status_script()


def _install(options: Namespace) -> int:
    from gatewaylog.audit.edfi import Installation

    made = Installation(options.database).install(options.token_format)
    if made:
        print(f"installed: {', '.join(made)}")
    else:
        print("is installed already; nothing was changed")
    return 0


def _remove(options: Namespace) -> int:
    from gatewaylog.audit.edfi import Installation

    installation = Installation(options.database)
    if not installation.remove():
        print("there is no trigger; nothing was changed")
        return 0
    rows = installation.state().rows
    kept = f"{counted(rows, 'row')} {'is' if rows == 1 else 'are'} kept"
    print(f"removed; {kept} in gatewaylog.clientaccesstokenlogs, with the view")
    return 0


def _status(options: Namespace) -> int:
    from gatewaylog.audit.edfi import Installation

    refuse_parquet(options.output, "tokens")
    state = Installation(options.database).state()
    facts.show(facts_of(state), options.output)
    return 0 if state.trigger == "enabled" and not state.lacking else 1


def facts_of(state: State) -> list[facts.Fact]:
    """Return what is told of the trigger."""
    lacking = ", ".join(state.lacking)
    not_logged = counted(state.not_logged, "login")
    cost = "not counted: the server's track_functions is none"
    if state.calls is not None and state.milliseconds is not None:
        cost = f"{duration(state.milliseconds)} each, over {counted(state.calls, 'login')}"
    return [
        facts.Fact("trigger", state.trigger, state.trigger),
        facts.Fact("lacking", lacking or "nothing", lacking),
        facts.Fact("token_format", state.token_format or "not known", state.token_format),
        facts.Fact("rows", number(state.rows), state.rows),
        facts.moment("oldest", state.oldest),
        facts.moment("newest", state.newest),
        facts.Fact("table", size(state.table_bytes), state.table_bytes, "table_bytes"),
        facts.Fact("indexes", size(state.index_bytes), state.index_bytes, "index_bytes"),
        facts.Fact("not_logged", not_logged, state.not_logged),
        facts.Fact("cost", cost, state.milliseconds, "cost_ms"),
        facts.Fact("calls", "", state.calls),
    ]
