"""`gatewaylog keys` makes keys for callers, and those of a tamper-evident log."""

from __future__ import annotations

import stat
import tomllib
from typing import TYPE_CHECKING

import pytest

from gatewaylog.cli import run as main
from gatewaylog.seal.keys import judge_of, mac_of, signer_of

if TYPE_CHECKING:
    from pathlib import Path


def test_tamper_makes_keys_that_fit_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "keys"
    assert main(["keys", "tamper", str(folder)]) == 0
    said = capsys.readouterr().out
    table = tomllib.loads("".join(line for line in said.splitlines(True) if " = " in line))
    assert table["tamper_evident"] is True
    mac_of(table["chain_key_file"])
    signer, judge = signer_of(table["signing_key_file"]), judge_of(folder / "signing.pub")
    assert signer.name == judge.name
    assert judge.is_good(signer.sign(b"text"), b"text")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {"chain.key": 0o600, "signing.key": 0o600, "signing.pub": 0o644}


def test_keys_that_are_there_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "tamper", str(tmp_path)]) == 0
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    capsys.readouterr()
    assert main(["keys", "tamper", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("chain.key: is there already, and stays\n")
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tamper"], "keys tamper: FOLDER is missing: where the keys are put"),
        (["new", "x"], "keys new: takes no FOLDER: the key is shown, and kept nowhere"),
    ],
)
def test_a_folder_is_for_tamper(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", *arguments]) == 2
    assert capsys.readouterr().err == f"gatewaylog: {said}\n"


def test_without_the_extra_its_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives", None)
    assert main(["keys", "tamper", str(tmp_path)]) == 2
    assert "needs pip install 'gatewaylog[tamper]'" in capsys.readouterr().err


def test_a_key_for_callers_is_shown_with_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new"]) == 0
    assert 'keys = ["sha256:' in capsys.readouterr().out
