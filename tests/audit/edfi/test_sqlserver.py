"""The scripts for SQL Server, which can't be run here: read by a parser of its language."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest
import sqlglot
from sqlglot import exp

from gatewaylog.audit.edfi import sqlserver

if TYPE_CHECKING:
    from gatewaylog.audit.edfi import TokenFormat


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """It warns of each statement that it takes as words."""
    caplog.set_level(logging.CRITICAL, "sqlglot")


def parsed(text: str) -> list[exp.Expr]:
    return [each for each in sqlglot.parse(text, dialect="tsql") if each is not None]


def batches(script: str) -> list[str]:
    return [batch for batch in re.split(r"(?m)^GO$", script) if batch.strip()]


def statements_of(body: str) -> list[exp.Expr]:
    """Each statement of a trigger's body, out of its blocks, which are opaque to the parser."""
    body = re.sub(r"--.*", "", body)
    body = re.sub(r"(?m)^\s*(BEGIN|END)( TRY| CATCH)?;?\s*$", ";", body)
    texts = [text.strip() for text in body.split(";") if text.strip()]
    heads = ("WHILE", "IF")
    whole = [f"{text} BEGIN SELECT 1 END" if text.startswith(heads) else text for text in texts]
    return [tree for text in whole for tree in parsed(text)]


@pytest.mark.parametrize("token_format", ["N", "D"])
def test_every_batch_of_the_installation_is_transact_sql(token_format: TokenFormat) -> None:
    script = sqlserver.install_script(token_format)
    kinds = [type(each) for batch in batches(script) for each in parsed(batch)]
    assert kinds.count(exp.Create) == 4  # the view and the procedures
    assert len(batches(script)) == 12


@pytest.mark.parametrize("token_format", ["N", "D"])
def test_the_triggers_body_is_transact_sql_by_itself(token_format: TokenFormat) -> None:
    body = sqlserver.trigger_body(token_format)
    assert parsed(body)
    trees = statements_of(body)
    opaque = [tree.sql() for tree in trees if isinstance(tree, exp.Command)]
    assert opaque == []
    kinds = [type(tree).__name__ for tree in trees]
    assert kinds == [
        *("Set", "Set", "Set", "Declare", "Select", "WhileBlock", "Select"),
        *("Execute", "IfBlock", "Execute", "IfBlock", "Execute", "Set", "Set"),
    ]


def test_a_mistake_in_the_body_is_noticed() -> None:
    body = sqlserver.trigger_body("N")
    for right, wrong in (("FROM inserted i", "FROM FROM"), ("2), 32))", "2), 32)")):
        with pytest.raises(sqlglot.errors.ParseError):
            statements_of(body.replace(right, wrong))


def test_the_reference_is_made_of_the_token_as_clients_send_it() -> None:
    (select,) = [
        tree
        for text in sqlserver.trigger_body("N").split(";")
        if "HASHBYTES" in text
        for tree in parsed(text[text.index("SELECT") :])
    ]
    sql = select.sql(dialect="tsql")
    assert "HASHBYTES('SHA2_256', LOWER(REPLACE(CONVERT(VARCHAR(36), i.Id), '-', '')))" in sql
    assert "REPLACE" not in sqlserver.trigger_body("D")


def test_the_token_itself_is_written_nowhere() -> None:
    inserts = re.findall(r"(?s)INSERT INTO.*?;", sqlserver.install_script("N"))
    assert len(inserts) == 2
    assert all("@TokenRef" in insert and "@Id" not in insert for insert in inserts)


def test_removal_and_state_are_transact_sql() -> None:
    for script in (sqlserver.remove_script(), sqlserver.status_script()):
        assert all(parsed(batch) for batch in batches(script))


TRIGGER = "OBJECT_DEFINITION(OBJECT_ID('dbo.dbo_ClientAccessToken_TR_Insert', 'TR'))"


def asked_of(script: str, condition: str) -> str:
    """The batch that asks it, on one line."""
    (batch,) = [" ".join(text.split()) for text in batches(script) if condition in text]
    return batch


def test_a_trigger_whose_text_can_not_be_read_is_not_written_over() -> None:
    """NULL is LIKE nothing, and not unlike anything either."""
    check = asked_of(sqlserver.install_script("N"), TRIGGER)
    assert "'TR') IS NOT NULL AND ISNULL(OBJECT_DEFINITION(" in check
    assert "'TR')), '') NOT LIKE '%gatewaylog%' BEGIN RAISERROR" in check


def test_what_is_made_is_asked_for_by_itself() -> None:
    """So that what failed the first time is made the second."""
    for made, asked in (
        ("CREATE TABLE", "OBJECT_ID('gatewaylog.ClientAccessTokenLogs', 'U') IS NULL"),
        ("CREATE INDEX", "name = 'IX_ClientAccessTokenLogs_AccessTime'"),
        ("CREATE SEQUENCE", "OBJECT_ID('gatewaylog.TokensNotLogged', 'SO') IS NULL"),
    ):
        assert asked in asked_of(sqlserver.install_script("N"), made)


def test_a_token_that_is_not_logged_is_counted_and_the_number_told() -> None:
    body = sqlserver.trigger_body("N")
    alone, count = body.index("EXEC gatewaylog.LogIssuedTokenAlone"), body.index("CountTokenNot")
    assert alone < body.index("BEGIN CATCH", alone) < count
    procedure = asked_of(sqlserver.install_script("N"), "PROCEDURE gatewaylog.CountTokenNotLogged")
    assert "NEXT VALUE FOR gatewaylog.TokensNotLogged" in procedure
    assert "OBJECT_ID('gatewaylog.TokensNotLogged')" in sqlserver.status_script()


def test_procedures_stay_as_long_as_the_trigger_does() -> None:
    """Where sqlcmd goes on behind a DROP TRIGGER that was not given its lock, too."""
    batch = asked_of(sqlserver.remove_script(), "DROP PROCEDURE")
    assert "'gatewaylog' ) LIKE '%gatewaylog%' BEGIN RAISERROR" in batch
    assert "16, 1); END ELSE BEGIN DROP PROCEDURE" in batch  # ; before ELSE would be a mistake
    made = re.findall(r"PROCEDURE (gatewaylog\.\w+)", sqlserver.install_script("N"))
    assert re.findall(r"EXISTS (gatewaylog\.\w+)", batch) == made


def test_nobody_who_logs_in_waits_long_behind_the_scripts() -> None:
    for script in (sqlserver.install_script("N"), sqlserver.remove_script()):
        assert re.findall(r"(?m)^SET LOCK_TIMEOUT (\d+)", script) == ["500"]


def test_a_message_is_a_literal_as_the_server_wants_it() -> None:
    scripts = (sqlserver.install_script("N"), sqlserver.remove_script())
    raised = [text for script in scripts for text in re.findall(r"RAISERROR\(.*", script)]
    assert len(raised) == 4
    assert all(re.match(r"RAISERROR\('([^']|'')+',", text) for text in raised)
