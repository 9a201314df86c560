"""What is signed of a log's file: one line of JSON in `FILE.digest`, which is only appended to.

A file is known by the SHA-256 of its first line, as its name changes when it is rotated.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewaylog.seal.keys import Signer

SUFFIX = ".digest"
_VERSION = 1
_SIGNED = re.compile(rb'(\{.*), "signature": "([A-Za-z0-9+/=]{88})"\}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A writer's first and last line in a file: Seq and Chain of each."""

    first_seq: int
    first_chain: str
    last_seq: int
    last_chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a file held: its first `size` bytes, `lines` whole lines, hash to `sha256`.

    `name` is what it was called, `first` the SHA-256 of its first line. `final`: it was rotated,
    and nobody writes to it any more. `deleted`: it was removed, as it was too old or one too many.
    `pruned`: this is the first line, and stands for all up to this number, which told of deleted
    files alone; `before` is the SHA-256 of the last of them, `writers` where each chain stood.
    `number` counts the digests of a log from 1 on; `before` is the SHA-256 of the line before,
    empty of the first. `at` is RFC 3339, `key` the name of the key that signed.
    """

    number: int
    at: str
    name: str
    first: str
    size: int = 0
    lines: int = 0
    sha256: str = ""
    final: bool = False
    deleted: bool = False
    writers: dict[str, Span] = field(default_factory=dict)
    before: str = ""
    key: str = ""
    pruned: bool = False


def signed_line(digest: Digest, signer: Signer) -> bytes:
    """Return the digest's line, signed: the signature is over the JSON object without it."""
    text = _text(digest)
    signature = base64.b64encode(signer.sign(text)).decode()
    return text[:-1] + f', "signature": "{signature}"}}\n'.encode()


def _text(digest: Digest) -> bytes:
    pairs: dict[str, Any] = {"version": _VERSION}
    for key in Digest.__slots__:
        pairs[key] = getattr(digest, key)
    if not digest.pruned:
        del pairs["pruned"]
    pairs["writers"] = {
        writer: [span.first_seq, span.first_chain, span.last_seq, span.last_chain]
        for writer, span in digest.writers.items()
    }
    return json.dumps(pairs).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A digest that was read, with what is signed of it, and by which signature."""

    digest: Digest
    text: bytes
    signature: bytes


def read_line(raw: bytes) -> Signed:
    """Read a line without its line feed. Raises ValueError."""
    match = _SIGNED.fullmatch(raw)
    if match is None:
        raise ValueError("is no signed digest")
    text = match[1] + b"}"
    try:
        pairs = json.loads(text)
        if pairs.pop("version") != _VERSION:
            raise ValueError("is of another version")
        writers = {
            writer: Span(first_seq=at, first_chain=first, last_seq=end, last_chain=last)
            for writer, (at, first, end, last) in pairs.pop("writers").items()
        }
        digest = Digest(**pairs, writers=writers)
        _check(digest)
        signature = base64.b64decode(match[2], validate=True)
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"is no digest: {type(error).__name__}") from None
    if _text(digest) != text:
        raise ValueError("is no digest: not written as gatewaylog does")
    return Signed(digest=digest, text=text, signature=signature)


def _check(digest: Digest) -> None:
    texts = (digest.at, digest.name, digest.first, digest.sha256, digest.before, digest.key)
    counts = (digest.number, digest.size, digest.lines)
    if not all(isinstance(text, str) for text in texts) or not all(
        isinstance(count, int) for count in counts
    ):
        raise ValueError("a value is of another type")


def hash_of(raw: bytes) -> str:
    """Return the SHA-256 of a line, in hex digits."""
    return hashlib.sha256(raw).hexdigest()
