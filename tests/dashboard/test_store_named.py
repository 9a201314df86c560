"""Which database `gatewaylog dashboard` asks: one that is given or configured, else none."""

from __future__ import annotations

import http.client
import json
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.audit.store.install import install
from tests.cli.processes import gatewaylog, said_once, started
from tests.reader.logs import encoded, incoming, write
from tests.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.system


@contextmanager
def page(folder: Path, *arguments: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """Serve a log; give what tells of the tokens."""
    write(folder / "api.log", encoded(incoming(1)))
    listen = ("--listen", "127.0.0.1:0")
    with started("dashboard", "api.log", *listen, *arguments, cwd=folder) as process:
        port = int(process.reads(r"http://[0-9.]+:(\d+)/\n")[1])

        def told() -> dict[str, Any]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            with closing(connection):
                connection.request("GET", "/tokens")
                answer: dict[str, Any] = json.loads(connection.getresponse().read())
                return answer

        yield told


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Names a database that lies beside it."""
    install(f"sqlite:///{tmp_path}/use.db")
    file = tmp_path / "gateway.toml"
    file.write_text('[database]\nurl = "sqlite:///use.db"\n')
    return file


def test_a_database_that_is_given_is_asked(config: Path) -> None:
    config.unlink()
    url = f"sqlite:///{config.parent}/use.db"
    with page(config.parent, "--database", url) as told:
        wait_for(lambda: told().get("at"))
        assert told()["failed"] is None


def test_the_configurations_database_is_asked_with_its_rules(config: Path) -> None:
    with config.open("a") as file:
        file.write("[rules.thresholds.R06]\nnonsense = 1\n")
    with page(config.parent) as told:
        wait_for(lambda: "findings" in told())
        assert "R06 has no such threshold" in told()["findings"]["failed"]
        wait_for(lambda: told().get("at"))


def test_a_configuration_of_another_folder_is_asked(config: Path, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    with page(elsewhere, "--config", str(config)) as told:
        wait_for(lambda: told().get("at"))


def test_without_a_database_nothing_is_asked(tmp_path: Path) -> None:
    install(f"sqlite:///{tmp_path}/gatewaylog.db")  # the usual one, which nobody named
    with page(tmp_path) as told:
        assert told() == {"failed": "", "wait": None}


def test_a_configuration_that_cant_be_read_leaves_the_rest_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[database]\nurl = "postgresql://x:${NOWHERE_SET}@h"\n')
    with page(tmp_path) as told:
        assert "database.url" in (answer := told())["failed"]
        assert "NOWHERE_SET" in answer["failed"]
        assert answer["wait"] is None


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite:///", "use.db"])
def test_a_database_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    write(tmp_path / "api.log", encoded(incoming(1)))
    done = gatewaylog("dashboard", "api.log", "--database", url, cwd=tmp_path)
    assert done.returncode == 2
    assert said_once(done).startswith("gatewaylog: dashboard: --database must be like sqlite:///")


def test_a_configuration_that_is_named_and_cant_be_read_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "api.log", encoded(incoming(1)))
    done = gatewaylog("dashboard", "api.log", "--config", "nowhere.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere.toml" in said_once(done)
