"""Shippers that registered beside a log: known to whoever rotates it, until they are gone."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from gatewaylog.sinks.registered import GONE, is_registered, register, registered, unregister
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotated_from
from tests.sinks.test_shipped import keep, position, rotated

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def beside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f".{path.name}.shipper-*"))


def age(path: Path, seconds: float) -> float:
    """Have all registrations last been seen so long ago; return when that was."""
    for file in beside(path):
        now = file.stat().st_mtime
        os.utime(file, (now - seconds, now - seconds))
    return now - seconds


def test_retention_waits_for_a_shipper_that_registered(path: Path, state: Path) -> None:
    file = rotated(path)
    register(path, state)
    assert tidy(path, Retention(keep=1e-9))
    assert [found for _, found in rotated_from(path)] == [file]
    keep(state, position(file.read_bytes(), 3))
    assert tidy(path, Retention(keep=1e-9))
    assert rotated_from(path) == []


def test_what_is_kept_for_it_has_a_limit(
    path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rotated(path)
    register(path, state)
    assert tidy(path, Retention(keep=1e-9, max_unshipped=0))
    assert rotated_from(path) == []
    assert f"before the shipper of {state} had it" in capsys.readouterr().err


def test_registering_twice_is_once_and_each_log_has_its_own(path: Path, state: Path) -> None:
    for _ in range(2):
        register(path, state)
    register(path.with_name("other.log"), state.with_name("another"))
    assert registered(path) == (state,)
    (file,) = beside(path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640 & ~_umask()
    assert unregister(path, state)
    assert not unregister(path, state)
    assert registered(path) == ()


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_a_folder_that_is_missing_for_a_while_is_waited_for(path: Path, state: Path) -> None:
    register(path, state)
    state.rmdir()
    age(path, GONE - 60)
    assert registered(path) == (state,)
    state.mkdir()
    assert registered(path) == (state,)  # seen again: the day begins anew
    state.rmdir()
    age(path, GONE - 60)
    assert registered(path) == (state,)


def test_a_folder_that_is_there_is_noted_now_and_then(path: Path, state: Path) -> None:
    register(path, state)
    (file,) = beside(path)
    for seconds, is_noted in ((60, False), (3600, True)):
        then = age(path, seconds)
        registered(path)
        assert (file.stat().st_mtime > then) == is_noted


def test_a_folder_that_is_gone_for_a_day_is_told_and_forgotten(
    path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(path, state)
    state.rmdir()
    age(path, GONE + 60)
    assert registered(path) == ()
    assert beside(path) == []
    told = f"gatewaylog: {path}: no file is kept any more for the shipper of {state}, which is gone"
    assert capsys.readouterr().err == told + "\n"


def test_a_folder_that_can_not_be_looked_at_is_waited_for(
    path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    register(path, state)
    age(path, 3600)
    monkeypatch.setattr("gatewaylog.sinks.registered.os.utime", refuse)
    assert registered(path) == (state,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "7",
        '{"state": 7}',
        '{"state": "relative"}',
        '{"state": "/with\\u0000nul"}',
        '{"state": "/of/another"}',
        "[" * 8000,
        " " * 9000 + '{"state": "/too/long"}',
    ],
)
def test_what_is_no_registration_is_left_alone(path: Path, state: Path, text: str) -> None:
    register(path, state)
    (file,) = beside(path)
    file.write_text(text)
    assert registered(path) == ()
    assert file.exists()


def test_links_and_fifos_are_no_registrations(path: Path, state: Path) -> None:
    register(path, state)
    (file,) = beside(path)
    target = file.rename(path.with_name("elsewhere"))
    file.symlink_to(target)
    assert registered(path) == ()
    file.unlink()
    os.mkfifo(file)
    assert registered(path) == ()  # and nothing waits for who opens its other end


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_users_registration_does_not_count(path: Path, state: Path) -> None:
    register(path, state)
    (file,) = beside(path)
    os.chown(file, 12345, -1)
    assert registered(path) == ()
    assert not is_registered(path, state)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_only_who_owns_the_log_registers(path: Path, state: Path) -> None:
    path.touch()
    os.chown(path, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        register(path, state)


def test_no_folder_no_shippers(path: Path, state: Path) -> None:
    assert registered(path.parent / "missing" / "api.log") == ()
    with pytest.raises(FileNotFoundError):
        register(path.parent / "missing" / "api.log", state)


def test_a_checkpoint_that_is_no_file_has_passed_nothing(path: Path, state: Path) -> None:
    file = rotated(path)
    os.mkfifo(state / "checkpoint.json")
    register(path, state)
    assert tidy(path, Retention(keep=1e-9))
    assert [found for _, found in rotated_from(path)] == [file]


def test_a_registration_names_its_state_and_nothing_else(path: Path, state: Path) -> None:
    register(path, state)
    (file,) = beside(path)
    assert json.loads(file.read_text()) == {"state": str(state)}
