"""Keys are read from files, and what is none is told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from gatewaylog.seal.keys import PUBLIC_KEY, SIGNING_KEY, judge_of, mac_of, signer_of
from tests.seal.sealed import keys

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", [SIGNING_KEY, PUBLIC_KEY])
def test_without_the_extra_its_name_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    read = signer_of if name == SIGNING_KEY else judge_of
    with pytest.raises(ValueError, match=r"needs pip install 'gatewaylog\[tamper\]'"):
        read(keys() / name)


@pytest.mark.parametrize("text", ["", "ab" * 31, "abc" * 31, "xy" * 32, "\u00e4" * 64])
def test_a_key_of_a_chain_is_enough_hex_digits(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ValueError, match="must hold at least 64 hex digits"):
        mac_of(tmp_path / "key")


def test_a_public_key_signs_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a private Ed25519 key"):
        signer_of(keys() / PUBLIC_KEY)
    (tmp_path / "key").write_bytes(b"-----BEGIN nonsense")
    with pytest.raises(ValueError, match="must be a public Ed25519 key"):
        judge_of(tmp_path / "key")
