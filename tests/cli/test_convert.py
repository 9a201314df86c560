"""`gatewaylog convert`: the same events in another format, none lost."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.formats import Line, parse_line
from tests.cli.processes import COMMAND, environment, said_once
from tests.cli.test_tail import COMPLETE, ERROR, INCOMING, written

if TYPE_CHECKING:
    from gatewaylog.events import Event

SEED = Path(__file__).parents[1] / "fixtures" / "seed_lines.txt"
EVIL = 'ü"\\\x1b[2J\u202e\ud800 = ,' + "x" * 20_000
EVENTS = (INCOMING, COMPLETE, ERROR, ERROR._replace(request_in_url=EVIL, extra=(("own", EVIL),)))


def converted(*arguments: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, "convert", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        env=environment(),
        check=False,
    )


def events(raw: bytes) -> list[tuple[float, Event]]:
    lines = [parse_line(line) for line in raw.splitlines()]
    assert all(isinstance(line, Line) for line in lines)
    return [(line.time.timestamp(), line.event) for line in lines if isinstance(line, Line)]


@pytest.mark.parametrize("to", ["wso2", "json", "logfmt"])
@pytest.mark.parametrize("form", ["wso2", "json", "logfmt"])
def test_every_event_is_the_same_in_every_format(form: str, to: str, tmp_path: Path) -> None:
    log = written(tmp_path / "log", *EVENTS, form=form)
    done = converted("--to", to, "log", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    before, after = events(log.read_bytes()), events(done.stdout)
    assert [event for _, event in after] == [event for _, event in before]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=0.001)


def test_the_seed_s_own_lines_come_back_as_they_were(tmp_path: Path) -> None:
    there = converted("--to", "json", "-", cwd=tmp_path, stdin=SEED.read_bytes()).stdout
    back = converted("--to", "wso2", "-", cwd=tmp_path, stdin=there).stdout
    assert events(back) == events(SEED.read_bytes())


def test_lines_that_can_t_be_read_are_counted_and_kept_on_request(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"Traceback \xff\n" + SEED.read_bytes() + b"torn")
    done = converted("--to", "json", "log", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == b"gatewaylog: 2 lines not read; --keep-unread copies them\n"
    assert b"Traceback" not in done.stdout
    done = converted("--to", "json", "--keep-unread", "log", cwd=tmp_path)
    assert done.stderr == b"gatewaylog: 2 lines not read; copied as they are\n"
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == (b"Traceback \xff", b"torn")


def test_rotated_logs_come_oldest_first(tmp_path: Path) -> None:
    lines = SEED.read_bytes().splitlines(keepends=True)
    first, *others = sorted(lines)
    (tmp_path / "api.log").write_bytes(b"".join(others))
    (tmp_path / "api.log.1").write_bytes(first)
    done = converted("--to", "wso2", ".", cwd=tmp_path)
    assert events(done.stdout) == events(b"".join([first, *others]))


def test_a_new_file_is_written_and_one_that_is_there_never(tmp_path: Path) -> None:
    written(tmp_path / "log", *EVENTS)
    done = converted("--to", "json", "log", "-o", "new", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    raw = (tmp_path / "new").read_bytes()
    assert len(events(raw)) == len(EVENTS)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    for name in ("new", "log"):
        before = (tmp_path / name).read_bytes()
        done = converted("--to", "json", "log", "-o", name, cwd=tmp_path)
        assert done.returncode == 2
        assert f"{name} is there already: choose a new name".encode() in done.stderr
        assert (tmp_path / name).read_bytes() == before


def test_an_empty_log_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    done = converted("--to", "logfmt", "log", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("log",), "the following arguments are required: --to"),
        (("--to", "json", "nowhere"), "nowhere: No such file"),
    ],
)
def test_what_can_t_be_done_is_one_line(
    arguments: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    (tmp_path / "log").touch()
    done = converted(*arguments, cwd=tmp_path)
    text = subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
    assert text.returncode == 2
    assert line in said_once(text)
