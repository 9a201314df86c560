"""A PostgreSQL of the tests' own, on a socket in a folder: started, killed, started again."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tests.requirements import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_numbers = itertools.count(1)


class Cluster:
    """A server whose superuser is `owner`; everybody who reaches the socket is trusted."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._data = f"{folder}/cluster"
        self._initdb, self._pg_ctl = _program("initdb"), _program("pg_ctl")
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        _run(
            self._initdb, "-D", self._data, "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8"
        )

    def start(self) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=off"
        log = f"{self._folder}/log"
        _run(self._pg_ctl, "-D", self._data, "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        _run(self._pg_ctl, "-D", self._data, "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """End it by SIGKILL, and wait until nothing of it is left."""
        lock = Path(self._data, "postmaster.pid")
        os.kill(int(lock.read_text().split()[0]), signal.SIGKILL)
        with contextlib.suppress(AssertionError):  # what pg_ctl says of one that is gone
            self.stop()
        lock.unlink(missing_ok=True)

    def url(self, database: str = "postgres", user: str = "owner") -> str:
        return f"postgresql+psycopg://{user}@/{database}?host={self._folder}"

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """The name of a database of one's own."""
        name = f"test_{next(_numbers)}"
        engine = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE template0"))
        try:
            yield name
        finally:
            with engine.connect() as connection:
                connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
            engine.dispose()


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="gl-pg-", ignore_cleanup_errors=True) as folder:
        made = Cluster(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def _program(name: str) -> str:
    """A program of PostgreSQL's server, which Debian keeps off the path."""
    path = shutil.which(name) or next((shutil.which(name, path=str(at)) for at in _DEBIAN), None)
    if path is None:
        missing(f"NOT TESTED on PostgreSQL: {name} is not installed")
    return path


def _run(*command: str) -> None:
    """Run a program as `postgres`, where we are root, whom PostgreSQL refuses."""
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
