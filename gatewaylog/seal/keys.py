"""The keys of a log that shows changes: one for the chain, and a pair for the digests (Ed25519,
RFC 8032), each in a file.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gatewaylog.seal.chain import Mac

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORTEST = 32  # bytes of a key of the chain
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_NAME = 16  # hex digits that a key is called by
_EXTRA = "needs pip install 'gatewaylog[tamper]'"


class _Private(Protocol):
    def sign(self, data: bytes, /) -> bytes: ...


class _Public(Protocol):
    def verify(self, signature: bytes, data: bytes, /) -> None: ...


class Signer:
    """Signs digests; `name` is what its public key is called by."""

    def __init__(self, key: _Private, name: str) -> None:
        self.name = name
        self.sign: Callable[[bytes], bytes] = key.sign


class Judge:
    """Tells whether the holder of a private key has signed something."""

    def __init__(self, key: _Public, name: str) -> None:
        self.name = name
        self._key = key

    def is_good(self, signature: bytes, text: bytes) -> bool:
        """Tell whether `signature` is one of `text`."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True


def mac_of(path: str | os.PathLike[str]) -> Mac:
    """Read the key of a chain: at least 64 hex digits. Raises ValueError."""
    text = _read(path).decode("latin-1").strip()
    if not _HEX.fullmatch(text) or len(text) < 2 * _SHORTEST:
        raise ValueError(f"{path}: must hold at least {2 * _SHORTEST} hex digits")
    return Mac(bytes.fromhex(text))


def signer_of(path: str | os.PathLike[str]) -> Signer:
    """Read a private key in PEM form, without a passphrase. Raises ValueError."""
    raw = _read(path)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise ValueError(_EXTRA) from None
    try:
        key = load_pem_private_key(raw, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(  # noqa: TRY004 - of a file's content
            f"{path}: must be a private Ed25519 key in PEM form, without a passphrase"
        )
    return Signer(key, _name(key.public_key().public_bytes_raw()))


def judge_of(path: str | os.PathLike[str]) -> Judge:
    """Read a public key in PEM form. Raises ValueError."""
    raw = _read(path)
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise ValueError(_EXTRA) from None
    try:
        key = load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(  # noqa: TRY004 - of a file's content
            f"{path}: must be a public Ed25519 key in PEM form"
        )
    return Judge(key, _name(key.public_bytes_raw()))


CHAIN_KEY, SIGNING_KEY, PUBLIC_KEY = "chain.key", "signing.key", "signing.pub"


def make_keys(folder: Path) -> None:
    """Make a key for the chain and a pair for the digests in `folder`, which no other user reads.

    Raises ValueError without the extra, FileExistsError where a key is there already, OSError.
    """
    try:
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise ValueError(_EXTRA) from None
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create(folder / CHAIN_KEY, f"{secrets.token_hex(_SHORTEST)}\n".encode(), 0o600)
    _create(folder / SIGNING_KEY, private, 0o600)
    _create(folder / PUBLIC_KEY, public, 0o644)


def _create(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)


def _name(public: bytes) -> str:
    return hashlib.sha256(public).hexdigest()[:_NAME]


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: can't be read: {error.strerror}") from None
