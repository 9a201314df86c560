"""A PostgreSQL of the tests' own, on a socket in a folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.requirements import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of its database `postgres`, as the superuser `owner`."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    with tempfile.TemporaryDirectory(prefix="gl-pg-", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        cluster = f"{folder}/cluster"
        _run(initdb, "-D", cluster, "-U", "owner", "-A", "trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        log = f"{folder}/log"
        _run(pg_ctl, "-D", cluster, "-w", "-t", "60", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql+psycopg://owner@/postgres?host={folder}"
        finally:
            _run(pg_ctl, "-D", cluster, "-m", "immediate", "-w", "stop")
