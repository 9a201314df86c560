"""`gatewaylog check` says what `serve` would refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run as main

if TYPE_CHECKING:
    from pathlib import Path

API = '[[api]]\nname = "Echo"\ncontext = "/echo"\nauth = "none"\nbackend = "http://127.0.0.1:9"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real.log").touch()
    (tmp_path / "link.log").symlink_to("real.log")
    return tmp_path / "gateway.toml"


def test_logs_that_can_be_opened_are_good(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('[log]\npath = "logs/a.log"\n[event_log]\npath = "-"\n' + API)
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out.startswith(f"{file}: good: 1 API")
    assert not (file.parent / "logs").exists()


def test_logs_that_serve_would_refuse_are_told_with_their_places(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text('[log]\npath = "link.log"\n[event_log]\npath = "."\n' + API)
    assert main(["check", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{file}: log.path: is a symbolic link; a log must be a file",
        f"{file}: event_log.path: is no regular file",
    ]


def test_standard_output_is_always_good(file: Path) -> None:
    file.write_text('[log]\npath = "-"\n' + API)
    assert main(["check", str(file)]) == 0
