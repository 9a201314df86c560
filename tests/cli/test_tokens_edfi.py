"""`gatewaylog tokens edfi`: the trigger, from a command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.edfi import Installation, postgresql, sqlserver
from gatewaylog.cli import run as main
from gatewaylog.cli.tokens.edfi import facts_of
from tests.audit.edfi.conftest import connected
from tests.audit.edfi.test_trigger import logs_in
from tests.cli.processes import at_terminal, gatewaylog, said_once

if TYPE_CHECKING:
    from pathlib import Path

NOT_OURS = "postgresql://nobody@/EdFi_Admin?host=/nowhere"


def edfi_verb(action: str, url: str, *more: str) -> list[str]:
    return ["tokens", "edfi", action, "--database", url, *more]


def test_it_is_installed_told_and_removed(edfi: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(edfi_verb("status", edfi)) == 1
    assert json.loads(capsys.readouterr().out)["trigger"] == "absent"
    assert main(edfi_verb("install", edfi)) == 0
    assert capsys.readouterr().out.startswith("installed: schema, table, ")
    with connected(edfi) as session:
        logs_in(session)
    assert main(edfi_verb("install", edfi)) == 0
    assert capsys.readouterr().out == "is installed already; nothing was changed\n"
    assert main(edfi_verb("status", edfi)) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["trigger"], told["rows"], told["not_logged"]) == ("enabled", 1, 0)
    assert told["oldest"].endswith("+00:00")
    assert main(edfi_verb("remove", edfi)) == 0
    assert capsys.readouterr().out.startswith("removed; 1 row is kept in ")
    assert main(edfi_verb("remove", edfi)) == 0
    assert capsys.readouterr().out == "there is no trigger; nothing was changed\n"


def test_at_a_terminal_each_fact_is_a_line(edfi: str) -> None:
    Installation(edfi).install("D")
    with at_terminal(*edfi_verb("status", edfi), COLUMNS="80") as running:
        running.reads(r"trigger\S*\s+enabled\r?\n")
        running.reads(r"token format\S*\s+D\r?\n")
        running.reads(r"oldest\S*\s+none\r?\n")
        running.reads(r"not logged\S*\s+0 logins\r?\n")
        running.reads(r"cost\S*\s+not counted: the server's track_functions is none\r?\n")


def test_calls_and_what_one_costs_are_told_where_the_server_counts(edfi: str) -> None:
    installation = Installation(edfi)
    installation.install()
    state = installation.state()
    counted = type(state)(trigger="enabled", lacking=(), calls=1200, milliseconds=0.06)
    assert "0.1 ms each, over 1,200 logins" in [fact.told for fact in facts_of(counted)]


def test_print_needs_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    for words, printed in (
        ("install --print", sqlserver.install_script("N")),
        ("install --print --token-format D", sqlserver.install_script("D")),
        ("remove --print", sqlserver.remove_script()),
        ("status --print", sqlserver.status_script()),
        ("install --print postgresql", postgresql.install_script("N")),
        ("remove --print postgresql", postgresql.remove_script()),
    ):
        assert main(["tokens", "edfi", *words.split()]) == 0
        assert capsys.readouterr().out == f"{printed}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["install"], "--database is needed: postgresql://USER@HOST/EdFi_Admin"),
        (["status", "--database", "mssql+pyodbc://x/EdFi_Admin"], "--print gives the SQL"),
        (["install", "--database", "sqlite:///x.db"], "--database is needed: postgresql://"),
        (["install", "--database", "postgresql://h:port/x"], "can't be read"),
        (["install", "--database", NOT_OURS], "/nowhere"),
        (["status", "--print", "postgresql"], "status --print is SQL Server's"),
        (["status", "--database", NOT_OURS, "--output", "chart"], "--output"),
        (["sing"], "invalid choice: 'sing'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = gatewaylog("tokens", "edfi", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in said_once(done)
