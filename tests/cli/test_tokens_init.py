"""`gatewaylog tokens init` and `gatewaylog ship --to database`, as a user runs them."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import gatewaylog, said_once
from tests.reader.logs import complete, encoded

if TYPE_CHECKING:
    from pathlib import Path

SHIP = ("ship", "api.log", "--to", "database", "--state", "state", "--once")
DIGEST = hashlib.sha256(b"the key").hexdigest()
TOML = """
[log]
path = "api.log"
[database]
url = "sqlite:///own.db"
[[application]]
name = "Shop"
owner = "ann"
vendor = "Acme"
keys = ["${SHOP_KEY}"]
"""


def asked(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "api.log").write_bytes(encoded(complete(1, token_ref=DIGEST[:32])))
    return tmp_path / "api.log"


def test_tables_are_made_and_once_more_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        done = gatewaylog("tokens", "init", "--database", "sqlite:///a.db", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "The tables are there and up to date in sqlite:///a.db.\n"
    assert asked(tmp_path / "a.db", "SELECT count(*) FROM client_access_token_logs") == [(0,)]


def test_the_configuration_names_the_database_and_it_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "gateway.toml").write_text(TOML)
    done = gatewaylog("tokens", "init", "--config", "etc/gateway.toml", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "etc" / "own.db").exists()


def test_without_either_it_is_the_usual_file(tmp_path: Path) -> None:
    assert gatewaylog("tokens", "init", cwd=tmp_path).returncode == 0
    assert (tmp_path / "gatewaylog.db").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--database", "nonsense"), "--database must be like sqlite:///gatewaylog.db or"),
        (("--database", "sqlite:///"), "--database must be like sqlite:///gatewaylog.db or"),
        (("--database", "sqlite:///no/a.db"), "no/a.db: No such file or directory"),
        (("--database", "postgresql://u:secret@127.0.0.1:1/x"), "connection failed"),
        (("--database", "postgresql://u:secret@host:x/y"), "the database's URL can't be read"),
        (("--partition", "day"), "--partition is for PostgreSQL"),
        (("--partition", "year"), "invalid choice: 'year'"),
        (("--config", "none.toml"), "none.toml: can't be read"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = gatewaylog("tokens", "init", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert told in said_once(done)
    assert "secret" not in done.stderr


@pytest.mark.parametrize("words", [(), ("ini",), ("init", "more")])
def test_a_verb_that_is_none_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = gatewaylog("tokens", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said_once(done).startswith("gatewaylog: tokens")


def test_no_password_is_shown_of_what_was_made(tmp_path: Path, postgresql: str) -> None:
    url = postgresql.replace("owner@", "owner:secret@")
    done = gatewaylog("tokens", "init", "--database", url, "--partition", "month", cwd=tmp_path)
    assert done.returncode == 0
    assert "owner:***@" in done.stdout
    assert "secret" not in done.stdout


def test_lines_are_shipped_and_whose_they_are_comes_from_the_configuration(
    tmp_path: Path, log: Path
) -> None:
    (tmp_path / "gateway.toml").write_text(TOML)
    to = ("--url", "sqlite:///a.db")
    assert gatewaylog("tokens", "init", "--database", to[1], cwd=tmp_path).returncode == 0
    done = gatewaylog(*SHIP, *to, cwd=tmp_path, SHOP_KEY=f"sha256:{DIGEST}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    query = "SELECT api_client_key, application_name, vendor_name FROM client_access_token_logs"
    assert asked(tmp_path / "a.db", query) == [(f"key:{DIGEST[:8]}", "Shop", "Acme")]
    status = gatewaylog("ship", "status", "--state", "state", cwd=tmp_path)
    assert "database, not running" in status.stdout


def test_without_a_configuration_nobody_is_known(tmp_path: Path, log: Path) -> None:
    assert (
        gatewaylog("tokens", "init", "--database", "sqlite:///a.db", cwd=tmp_path).returncode == 0
    )
    assert gatewaylog(*SHIP, "--url", "sqlite:///a.db", cwd=tmp_path).returncode == 0
    query = "SELECT api_client_key, application_name, vendor_name FROM client_access_token_logs"
    assert asked(tmp_path / "a.db", query) == [(None, None, None)]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('"sha256:abc"', 'application.keys: must be "sha256:" and 64 hex digits'),
        ('"${NOT_SET}"', "application.keys: the environment variable NOT_SET is not set"),
        ("7", "application.keys: must be text"),
    ],
)
def test_keys_that_can_not_be_known_are_told(
    tmp_path: Path, log: Path, keys: str, told: str
) -> None:
    (tmp_path / "gateway.toml").write_text(TOML.replace('"${SHOP_KEY}"', keys))
    done = gatewaylog(*SHIP, "--url", "sqlite:///a.db", cwd=tmp_path)
    assert done.returncode == 2
    assert said_once(done) == f"gateway.toml: {told}"


def test_keys_that_are_no_list_are_told(tmp_path: Path, log: Path) -> None:
    (tmp_path / "gateway.toml").write_text(TOML.replace('["${SHOP_KEY}"]', '"k"'))
    done = gatewaylog(*SHIP, "--url", "sqlite:///a.db", cwd=tmp_path)
    assert said_once(done) == "gateway.toml: application.keys: must be a list"


def test_tables_that_are_not_there_are_told(tmp_path: Path, log: Path) -> None:
    done = gatewaylog(*SHIP, "--url", "sqlite:///a.db", cwd=tmp_path)
    assert done.returncode == 2
    assert "gatewaylog tokens init makes the tables" in said_once(done)
