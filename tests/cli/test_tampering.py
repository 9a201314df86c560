"""`gatewaylog verify` with keys: whatever is changed in a tamper-evident log is named."""

from __future__ import annotations

import gzip
import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewaylog.cli import run as main
from gatewaylog.seal.chain import link_of
from gatewaylog.seal.keys import CHAIN_KEY, PUBLIC_KEY, SIGNING_KEY, make_keys
from gatewaylog.sinks.retention import Retention, tidy
from gatewaylog.sinks.rotation import rotate, rotated_from
from tests.seal.sealed import judging, keys, sealed, write

if TYPE_CHECKING:
    from collections.abc import Callable

Files = dict[str, bytes]
Place = tuple[int, int]  # which file, which line of it


@cache
def original(form: str = "wso2") -> Files:
    """The files of a log of three writers in three files, signed several times."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "api.log"
        logs = [sealed(path, format=form, digest_every="1h") for _ in range(3)]
        for part in range(3):
            for number in range(4):
                for log in logs[number % 2 :]:
                    write(log, 1)
                if number == 1:
                    signed(logs[0])
            if part < 2:
                rotate(path)
                for log in logs:
                    log.look()
                assert tidy(path, Retention(), seal=logs[0]._sealing)
        for log in logs:
            log.close()
        return {file.name: file.read_bytes() for file in sorted(Path(folder).glob("api.log*"))}


def signed(log: Any) -> None:
    log._sealing.sign()


def names(files: Files) -> list[str]:
    """The log files, oldest first; the digests are not among them."""
    rotated = sorted(name for name in files if name not in {"api.log", "api.log.digest"})
    return [*rotated, "api.log"]


@cache
def folder() -> Path:
    return Path(mkdtemp(prefix="gatewaylog-verify-"))


def verified(files: Files, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str]]:
    """Verify a log of these files; where they are is left out of what is said."""
    shutil.rmtree(folder())
    folder().mkdir()
    for name, raw in files.items():
        (folder() / name).write_bytes(raw)
    capsys.readouterr()
    status = main(["verify", str(folder()), *(more or judging())])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return status, said.out.replace(f"{folder()}/", "").splitlines()


def sequences(
    files: Files, order: list[str]
) -> tuple[dict[str, list[tuple[bytes, Place]]], list[Place]]:
    """Each writer's lines with their places, and the places of lines that are no links."""
    found: dict[str, list[tuple[bytes, Place]]] = {}
    others = []
    for at, name in enumerate(order):
        for number, raw in enumerate(files.get(name, b"").split(b"\n"), 1):
            link = link_of(raw)
            if link is not None:
                found.setdefault(link.writer, []).append((raw, (at, number)))
            elif raw not in {b"", b"\r"}:  # which readers take for no line
                others.append((at, number))
    return found, others


def first_wrong(before: Files, after: Files) -> Place | None:
    """The first line that is none, or at which a writer's sequence is another than it was."""
    was, _ = sequences(before, names(before))
    now, wrong = sequences(after, names(before))
    for writer, lines in now.items():
        known = [raw for raw, _ in was.get(writer, [])]
        for at, (raw, place) in enumerate(lines):
            if at >= len(known) or raw != known[at]:
                wrong.append(place)
                break
    return min(wrong, default=None)


def assert_named(before: Files, after: Files, status: int, said: list[str]) -> None:
    assert status == 1, said
    place = first_wrong(before, after)
    if place is not None:
        name = names(before)[place[0]]
        assert any(line.startswith(f"{name}:{place[1]}: ") for line in said), (place, said)
    else:  # the end of a writer, or nothing that its sequence tells of
        assert any(
            "removed at its end" in line
            or "is cut here" in line
            or "is not as it was signed" in line
            or "is missing: " in line
            or "was added behind the end" in line
            for line in said
        ), said


def lines_of(raw: bytes) -> list[bytes]:
    return raw.splitlines(keepends=True)


def with_lines(files: Files, name: str, change: Callable[[list[bytes]], None]) -> Files:
    lines = re.findall(rb"[^\n]*\n", files[name])
    change(lines)
    return files | {name: b"".join(lines)}


TRIED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("form", ["wso2", "json"])
def test_a_log_that_nobody_touched_is_whole(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = verified(original(form), capsys)
    assert status == 0, said
    assert said[0] == "3 files, 30 lines of 3 writers: whole"
    assert said[1] == "30 lines follow the one before by their Chain"
    assert re.fullmatch(r"api.log: \d+ good digests, the last of .*; 0 lines .*", said[2])


@TRIED
@given(draw=st.data())
@pytest.mark.parametrize("form", ["wso2", "json"])
def test_any_byte_that_is_changed_is_named(
    form: str, draw: st.DataObject, capsys: pytest.CaptureFixture[str]
) -> None:
    files = original(form)
    name = draw.draw(st.sampled_from(names(files)))
    at = draw.draw(st.integers(0, len(files[name]) - 1))
    byte = draw.draw(st.integers(0, 255).filter(lambda value: value != files[name][at]))
    changed = bytearray(files[name])
    changed[at] = byte
    after = files | {name: bytes(changed)}
    assert_named(files, after, *verified(after, capsys))


@TRIED
@given(draw=st.data())
def test_any_line_that_is_removed_is_named(
    draw: st.DataObject, capsys: pytest.CaptureFixture[str]
) -> None:
    files = original()
    name = draw.draw(st.sampled_from(names(files)))
    at = draw.draw(st.integers(0, len(lines_of(files[name])) - 1))
    after = with_lines(files, name, lambda lines: lines.__delitem__(at))
    assert_named(files, after, *verified(after, capsys))


@TRIED
@given(draw=st.data())
def test_any_line_that_is_added_is_named(
    draw: st.DataObject, capsys: pytest.CaptureFixture[str]
) -> None:
    files = original()
    name, source = (draw.draw(st.sampled_from(names(files))) for _ in range(2))
    known = st.sampled_from(lines_of(files[source]))
    line = draw.draw(
        known | st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"") + b"\n")
    )
    at = draw.draw(st.integers(0, len(lines_of(files[name]))))
    after = with_lines(files, name, lambda lines: lines.insert(at, line))
    if at == len(lines_of(files[name])) and name == "api.log" and not line.strip(b"\r\n"):
        return  # an empty line behind all that was signed
    assert_named(files, after, *verified(after, capsys))


@TRIED
@given(draw=st.data())
def test_any_line_that_is_moved_is_named(
    draw: st.DataObject, capsys: pytest.CaptureFixture[str]
) -> None:
    files = original()
    name, other = (draw.draw(st.sampled_from(names(files))) for _ in range(2))
    line = draw.draw(st.sampled_from(lines_of(files[name])))
    without = with_lines(files, name, lambda lines: lines.remove(line))
    at = draw.draw(st.integers(0, len(lines_of(without[other]))))
    after = with_lines(without, other, lambda lines: lines.insert(at, line))
    if after == files:
        return
    assert_named(files, after, *verified(after, capsys))


@TRIED
@given(draw=st.data())
def test_any_tail_that_is_cut_is_named(
    draw: st.DataObject, capsys: pytest.CaptureFixture[str]
) -> None:
    files = original()
    name = draw.draw(st.sampled_from(names(files)))
    size = draw.draw(st.integers(0, len(files[name]) - 1))
    after = files | {name: files[name][:size]}
    status, said = verified(after, capsys)
    assert status == 1
    number = after[name].count(b"\n") + 1
    assert any(line.startswith(f"{name}:{number}: ") for line in said), said


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_file_that_is_removed_is_named(which: int, capsys: pytest.CaptureFixture[str]) -> None:
    files = original()
    gone = names(files)[which]
    status, said = verified({name: raw for name, raw in files.items() if name != gone}, capsys)
    assert status == 1
    assert any(line.startswith(f"{gone}: is missing: 10 lines of it were signed") for line in said)


def test_a_file_that_was_packed_since_is_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    files = original()
    oldest = names(files)[0]
    packed = {f"{oldest}.gz": gzip.compress(files[oldest])}
    rest = {name: raw for name, raw in files.items() if name != oldest}
    assert verified(rest | packed, capsys)[0] == 0


def test_retention_is_no_tampering(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "api.log"
    log = sealed(path, digest_every="1h")
    for _ in range(3):
        write(log, 3)
        rotate(path)
        log.look()
    write(log, 3)
    assert tidy(path, Retention(backups=1, compress="gz"), seal=log._sealing)
    log.close()
    assert len(rotated_from(path)) == 1
    assert main(["verify", str(tmp_path), *judging()]) == 0
    assert "6 lines of 1 writer: whole" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines.__delitem__(1), "api.log.digest:2: the digest does not follow"),
        (lambda lines: lines.__delitem__(0), "api.log.digest:1: the digest does not follow"),
        (
            lambda lines: lines.__setitem__(1, lines[1].replace(b'"lines": ', b'"lines": 1')),
            "api.log.digest:2: the digest is not what was signed",
        ),
        (lambda lines: lines.insert(0, b"nonsense\n"), "api.log.digest:1: the digest is no signed"),
    ],
)
def test_a_digest_that_was_touched_is_named(
    change: Callable[[list[bytes]], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = original()
    status, told = verified(with_lines(files, "api.log.digest", change), capsys)
    assert status == 1
    assert any(line.startswith(said) for line in told), told


def test_digests_that_are_gone_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: raw for name, raw in original().items() if name != "api.log.digest"}
    status, said = verified(files, capsys)
    assert status == 1
    assert any(line.startswith("api.log.digest: is missing: nothing tells") for line in said)


def test_the_newest_digests_are_missed_by_a_copy_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.digest"
    copy.write_bytes(original()["api.log.digest"])
    older = with_lines(original(), "api.log.digest", lambda lines: lines.__delitem__(-1))
    cut = with_lines(older, "api.log", lambda lines: lines.__delitem__(slice(6, None)))
    assert verified(cut, capsys)[0] == 0
    status, said = verified(cut, capsys, *judging(), "--digest", str(copy))
    assert status == 1
    assert any("api.log:7: is cut here: 10 lines of it were signed at " in line for line in said)


def test_the_public_key_alone_names_the_range(capsys: pytest.CaptureFixture[str]) -> None:
    files = original()
    after = with_lines(
        files,
        "api.log",
        lambda lines: (
            lines.__setitem__(8, lines[8].replace(b"GET", b"PUT"))
            if b"GET" in lines[8]
            else lines.__setitem__(8, lines[8].replace(b"Shop", b"Shot"))
        ),
    )
    status, said = verified(after, capsys, "--public-key", str(keys() / PUBLIC_KEY))
    assert status == 1
    assert re.match(r"api.log:6: from here to line 10 something is not as it was signed", said[0])
    assert "the chains were not checked: that needs --chain-key" in said


def test_the_chain_key_alone_names_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    files = original()
    after = with_lines(files, "api.log", lambda lines: lines.__delitem__(2))
    status, said = verified(after, capsys, "--chain-key", str(keys() / CHAIN_KEY))
    assert status == 1
    assert "removed before this line" in said[0]


def test_without_keys_it_says_what_was_not_checked(capsys: pytest.CaptureFixture[str]) -> None:
    files = original()
    shutil.rmtree(folder())
    folder().mkdir()
    for name, raw in files.items():
        (folder() / name).write_bytes(raw)
    assert main(["verify", str(folder())]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "the chains were not checked: that needs --chain-key",
        "the digests were not checked: that needs --public-key",
    ]


def test_keys_can_be_changed_and_old_ones_still_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_keys(tmp_path / "new")
    path = tmp_path / "logs" / "api.log"
    for where in (keys(), tmp_path / "new"):
        log = sealed(path, where)
        write(log, 3)
        log.close()
    both = [*judging(), *judging(tmp_path / "new")]
    assert main(["verify", str(path), *both]) == 0
    capsys.readouterr()
    assert main(["verify", str(path), *judging()]) == 1
    said = capsys.readouterr().out
    assert "signed by the key" in said
    assert f"{path}:4: writer" in said


def test_the_wrong_chain_key_is_suspected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_keys(tmp_path)
    status, said = verified(original(), capsys, "--chain-key", str(tmp_path / CHAIN_KEY))
    assert status == 1
    assert said[-2].endswith("is --chain-key the key of this log?")


def test_lines_behind_the_last_digest_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "api.log"
    log = sealed(path, digest_every="1h")
    write(log, 2)
    signed(log)
    write(log, 3)
    assert main(["verify", str(path), *judging()]) == 0
    assert "; 3 lines are not signed yet" in capsys.readouterr().out
    log.close()


def test_what_began_in_files_that_are_not_here_cannot_be_tried_without_digests(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = {"api.log": original()["api.log"]}
    status, said = verified(files, capsys, "--chain-key", str(keys() / CHAIN_KEY))
    assert status == 0
    assert said[-2].endswith("3 could not be tried, as what was before is not here")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--digest", "x"], "verify: --digest: needs --public-key"),
        (["--chain-key", "/none"], "verify: --chain-key: /none: can't be read"),
        (["--public-key", "{chain}"], "must be a public Ed25519 key in PEM form"),
        (["--public-key", "{signing}"], "must be a public Ed25519 key in PEM form"),
    ],
)
def test_keys_that_cannot_be_are_told(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api.log").write_bytes(original()["api.log"])
    names = {"chain": keys() / CHAIN_KEY, "signing": keys() / SIGNING_KEY}
    given = [argument.format(**names) for argument in arguments]
    assert main(["verify", str(tmp_path / "api.log"), *given]) == 2
    assert said in capsys.readouterr().err


def test_a_copy_of_digests_is_of_one_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_bytes(original()["api.log"])
    given = ["--public-key", str(keys() / PUBLIC_KEY), "--digest", "x"]
    assert main(["verify", str(tmp_path), *given]) == 2
    assert "is of one log" in capsys.readouterr().err
