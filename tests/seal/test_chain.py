"""Each line of a writer carries a MAC of itself and of the one before."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog import AccessLog, IncomingRequest
from gatewaylog.formats import Line, parse_line
from gatewaylog.seal.chain import Mac, link_of
from gatewaylog.seal.keys import CHAIN_KEY, SIGNING_KEY
from gatewaylog.sinks import MemorySink
from tests.seal.sealed import keys, sealed, write

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])


def key() -> bytes:
    return bytes.fromhex((keys() / CHAIN_KEY).read_text().strip())


def checked(raws: list[bytes]) -> list[int]:
    """The numbers of a writer's lines, each of which follows the one before it."""
    before, numbers = b"", []
    for raw in raws:
        link = link_of(raw)
        assert link is not None
        digest = hmac.digest(key(), before + link.head, "sha256")
        assert link.chain == digest.hex()[:32].encode()
        before = link.chain
        numbers.append(link.seq)
    return numbers


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(min_size=1, max_size=100))
def test_a_mac_is_that_of_rfc_2104(before: bytes, head: bytes, secret: bytes) -> None:
    expected = hmac.new(secret, before + head, hashlib.sha256).hexdigest()[:32]
    assert Mac(secret).chain(before, head) == expected.encode()


@FORMATS
def test_each_line_ends_with_the_mac_of_itself_and_the_one_before(
    tmp_path: Path, form: str
) -> None:
    log = sealed(tmp_path / "log", format=form)
    write(log, 4)
    log.write(IncomingRequest(api="long", request_in_url="/" + 'x"' * 5000, user_agent="null"))
    log.write(IncomingRequest(extra=(("Chain2", 'Chain="0"'), ("X", "Writer"))))
    log.close()
    raws = (tmp_path / "log").read_bytes().splitlines()
    assert checked(raws) == [1, 2, 3, 4, 5, 6]
    assert all(len(raw) < 9500 for raw in raws)
    for raw in raws:
        line, link = parse_line(raw), link_of(raw)
        assert isinstance(line, Line)
        assert link is not None
        assert (line.chain, line.seq) == (link.chain.decode(), link.seq)
        assert line.pairs[-1] == ("Chain", line.chain)
        assert "Chain" not in dict(line.event.extra)


def test_what_is_lost_is_no_part_of_the_chain(tmp_path: Path) -> None:
    class Full(MemorySink):
        is_full = False

        def write(self, line: bytes) -> str | None:
            return "full" if self.is_full else super().write(line)

    log = sealed(tmp_path / "log")
    sink = log.sink = Full()
    write(log, 2)
    sink.is_full = True
    assert not log.write(IncomingRequest())
    sink.is_full = False
    write(log, 1)
    assert checked([line.rstrip(b"\n") for line in sink.lines]) == [1, 2, 4, 5]


def test_a_child_begins_a_chain_of_its_own(tmp_path: Path) -> None:
    log = sealed(tmp_path / "log")
    write(log, 2)
    child = os.fork()
    if child == 0:
        write(log, 2)
        os._exit(0)
    os.waitpid(child, 0)
    write(log, 1)
    raws = (tmp_path / "log").read_bytes().splitlines()
    assert checked([raws[0], raws[1], raws[4]]) == [1, 2, 3]
    assert checked(raws[2:4]) == [1, 2]
    log.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'2026 Chain="0"',
        b'2026 a, Chain="00000000000000000000000000000000"',
        b'{"Writer": "0123456789abcdef", "Seq": 1, "Chain": "00000000000000000000000000000000" }',
        b'2026 Writer="0123456789abcdef", Seq="1", Chain="00000000000000000000000000000000"\r',
    ],
)
def test_a_line_that_does_not_end_with_a_chain_is_none(raw: bytes) -> None:
    assert link_of(raw) is None


def test_without_it_lines_carry_no_chain() -> None:
    sink = MemorySink()
    AccessLog(sink).write(IncomingRequest())
    assert b"Chain" not in sink.lines[0]
    assert link_of(sink.lines[0].rstrip(b"\n")) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"signing_key_file": ""}, "tamper_evident: needs chain_key_file and signing_key_file"),
        ({"fields": "seed"}, 'tamper_evident: needs fields = "full"'),
        ({"log": "-"}, "tamper_evident: needs a log that is a file"),
        ({"digest_every": "soon"}, "digest_every: must be a time"),
        ({"digest_every": "0s"}, "digest_every: must be at least a second"),
        ({"chain_key_file": "/none"}, "chain_key_file: /none: can't be read: No such file"),
        ({"signing_key_file": "{chain}"}, "must be a private Ed25519 key in PEM form"),
        ({"chain_key_file": "{signing}"}, "must hold at least 64 hex digits"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, options: dict[str, str], said: str
) -> None:
    chain, signing = str(keys() / CHAIN_KEY), str(keys() / SIGNING_KEY)
    wished = {"log": str(tmp_path / "log"), "chain_key_file": chain, "signing_key_file": signing}
    wished |= {name: text.format(chain=chain, signing=signing) for name, text in options.items()}
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        AccessLog(tamper_evident=True, **wished)  # type: ignore[arg-type]
