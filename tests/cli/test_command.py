"""`gatewaylog`: what all verbs have in common, and the small ones."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gatewaylog as package
from gatewaylog.cli import run
from gatewaylog.cli.verbs import VERBS
from gatewaylog.gateway.config import parse
from tests.cli.processes import COMMAND, environment, gatewaylog, said_once, started

if TYPE_CHECKING:
    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013


SEED = Path(__file__).parents[1] / "fixtures" / "seed_lines.txt"


class Told:
    """What `run` gave in this process."""

    def __init__(self, capsys: CaptureFixture[str], *arguments: str) -> None:
        self.status = run(arguments)
        self.out, self.err = capsys.readouterr()


def test_help_lists_every_verb_on_a_line_of_its_own(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, "--help")
    assert told.status == 0
    for name, tells in VERBS.items():
        assert f"\n  {name:<12}{tells}\n" in told.out
    assert max(map(len, told.out.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_has_an_example(verb: str, capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, verb, "--help")
    assert told.status == 0
    assert re.search(rf"^example:\n  .*gatewaylog {verb}", told.out, re.MULTILINE)
    assert max(map(len, told.out.splitlines())) <= 100


def test_version_is_the_package_s(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, "--version")
    assert (told.status, told.out) == (0, f"gatewaylog {package.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "gatewaylog: which verb? gatewaylog --help lists them"),
        (("--verbose",), "gatewaylog: unrecognized arguments: --verbose"),
        (("srve",), "gatewaylog: there is no verb 'srve'; did you mean serve?"),
        (("xyz\n",), f"gatewaylog: there is no verb 'xyz\\\\n'; there are {', '.join(VERBS)}"),
        (
            ("serve",),
            "gatewaylog: serve: the following arguments are required: FILE"
            " (see gatewaylog serve --help)",
        ),
        (
            ("tail", "-n", "many"),
            "gatewaylog: tail: argument -n: must be a whole number, 0 or more"
            " (see gatewaylog tail --help)",
        ),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    arguments: tuple[str, ...], line: str, capsys: CaptureFixture[str]
) -> None:
    told = Told(capsys, *arguments)
    assert (told.status, told.out) == (2, "")
    assert told.err.replace("\\n", "\\\\n") == line + "\n"


def test_a_fault_of_its_own_is_one_line_too(
    capsys: CaptureFixture[str], monkeypatch: MonkeyPatch
) -> None:
    def broken(text: str) -> str:
        raise LookupError(text)

    monkeypatch.setattr("gatewaylog.cli.keys.new_key", lambda: broken("odd"))
    told = Told(capsys, "keys", "new")
    assert told.status == 70
    (line,) = told.err.splitlines()
    assert line.startswith("gatewaylog: a fault of gatewaylog's own, LookupError: odd; ")
    monkeypatch.setenv("GATEWAYLOG_TRACEBACK", "1")
    with pytest.raises(LookupError):
        run(["keys", "new"])


def test_an_interrupt_leaves_with_the_status_that_shells_know(
    capsys: CaptureFixture[str], monkeypatch: MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatewaylog.cli.keys.new_key", interrupted)
    told = Told(capsys, "keys", "new")
    assert (told.status, told.err) == (130, "")


def test_output_that_nobody_can_take_is_told() -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [*COMMAND, "keys", "new"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "gatewaylog: No space left on device\n")


@pytest.mark.parametrize(
    ("verb", "extra"),
    [
        (["serve", "x"], "gateway"),
        (["check", "x"], "gateway"),
        (["demo"], "gateway"),
        (["dashboard", "x"], "dashboard"),
    ],
)
def test_a_verb_says_which_extra_to_install(tmp_path: Path, verb: list[str], extra: str) -> None:
    (tmp_path / "x").write_bytes(SEED.read_bytes())
    without = (
        "import sys\n"
        "for name in ('uvicorn', 'pydantic'): sys.modules[name] = None\n"
        "from gatewaylog.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", without, *verb],
        capture_output=True,
        cwd=tmp_path,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert re.fullmatch(
        rf"gatewaylog: {verb[0]} needs [a-z.]+, which is not installed:"
        rf" pip install 'gatewaylog\[{extra}\]'\n",
        done.stderr,
    )


def test_no_verb_loads_another_s_libraries() -> None:
    code = (
        "import sys; from gatewaylog.cli import run; run(['--help']); run(['keys', 'new']);"
        "heavy = {'pydantic', 'uvicorn', 'httpx', 'httptools'} & set(sys.modules); sys.exit(heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "set()\n")


API = """
[[api]]
name = "Echo"
context = "/echo"
backend = "http://127.0.0.1:9"
"""


def test_check_says_that_a_configuration_is_good(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(API)
    told = Told(capsys, "check", str(file))
    assert told.status == 0
    assert told.out == f"{file}: good: 1 API, 0 applications\n"
    assert list(tmp_path.iterdir()) == [file]


def test_check_tells_every_problem_on_a_line(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(API + 'suspnd = 1.0\n[server]\nworkers = 0\nlisten = "\x7f"\n')
    told = Told(capsys, "check", str(file))
    assert (told.status, told.out) == (2, "")
    assert len(told.err.splitlines()) == 1 or "\x7f" not in told.err
    assert all(line.startswith(f"{file}: ") for line in told.err.splitlines())


@pytest.mark.parametrize("verb", ["serve", "check"])
def test_all_problems_are_told_and_nothing_is_started(
    verb: str, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[server]\nworkers = 0\n" + API + "suspnd = 1.0\n")
    told = Told(capsys, verb, str(file))
    assert (told.status, told.out) == (2, "")
    assert told.err.splitlines() == [
        f"{file}: server.workers: must be at least 1",
        f"{file}: api[0].suspnd: unknown key; did you mean suspend?",
    ]
    assert list(tmp_path.iterdir()) == [file]


def test_serve_names_the_file_where_it_cannot_listen(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(
            f'[server]\nlisten = "127.0.0.1:{port}"\n[log]\npath = "{tmp_path}/log"\n{API}'
        )
        told = Told(capsys, "serve", str(file))
    assert told.status == 2
    (line,) = told.err.splitlines()
    assert line.startswith(f"{file}: server.listen: can't listen on 127.0.0.1:{port}: ")


def test_serve_tells_of_a_log_that_cannot_be_opened(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    file = tmp_path / "gateway.toml"
    file.write_text(f'[server]\nlisten = "127.0.0.1:0"\n[log]\npath = "{tmp_path}/link"\n{API}')
    told = Told(capsys, "serve", str(file))
    assert told.status == 2
    assert told.err == (f"gatewaylog: {tmp_path}/link: is a symbolic link; a log must be a file\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", [1, 2])
def test_serve_ends_with_status_0_at_a_signal(
    tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    (tmp_path / "gateway.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:0"\nworkers = {workers}\n{API}'
    )
    with started("serve", "gateway.toml", cwd=tmp_path) as serving:
        port = int(serving.reads(r"listening on http://127\.0\.0\.1:(\d+)")[1])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET /nope HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 404"
        assert serving.stopped_by(number) == 0
        assert "Traceback" not in serving.text
    assert (tmp_path / "logs" / "api-access.log").read_bytes().count(b"\n") == 1


def test_a_new_key_is_the_one_whose_digest_is_told(capsys: CaptureFixture[str]) -> None:
    told = Told(capsys, "keys", "new")
    key, line = re.findall(r"^  (\S.*)$", told.out, re.MULTILINE)
    digest = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    assert line == f'keys = ["{digest}"]'
    table = {"name": "a", "owner": "b", "keys": [digest]}
    assert parse({"application": [table]}, file="x").application[0].keys == (digest,)
    assert Told(capsys, "keys", "new").out != told.out


def test_it_runs_as_a_module_and_by_its_name() -> None:
    assert gatewaylog("--version").stdout == f"gatewaylog {package.__version__}\n"
    assert said_once(gatewaylog("nothing")).startswith("gatewaylog: there is no verb 'nothing'")


_READING = [
    ["tail", str(SEED)],
    ["search", "*", str(SEED)],
    ["show", "c78c4359", str(SEED)],
    ["orphans", str(SEED)],
    ["report", str(SEED)],
    ["convert", "--to", "json", str(SEED)],
    ["keys", "new"],
]


def called_by_a_shell(arguments: list[str], closed: str) -> subprocess.CompletedProcess[str]:
    """Run it with streams that are closed, which subprocess can't."""
    return subprocess.run(
        ["/bin/sh", "-c", f'"$@" {closed}', "sh", *COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", _READING, ids=lambda words: words[0])
def test_a_standard_output_that_is_closed_is_one_line(arguments: list[str]) -> None:
    done = called_by_a_shell(arguments, ">&-")
    assert done.returncode == 2
    assert said_once(done) == (
        "gatewaylog: standard output is closed: there is nowhere to write to"
    )


@pytest.mark.parametrize("arguments", _READING, ids=lambda words: words[0])
def test_a_verb_that_reads_files_needs_no_standard_input(arguments: list[str]) -> None:
    if arguments[0] == "keys":
        return
    usual, done = called_by_a_shell(arguments, ""), called_by_a_shell(arguments, "<&- 2>&-")
    assert (done.returncode, done.stdout) == (usual.returncode, usual.stdout)
    assert done.stdout != "" or arguments[0] == "orphans"


def test_a_standard_input_that_is_closed_can_t_be_read() -> None:
    done = called_by_a_shell(["tail", "-"], "<&-")
    assert (done.returncode, said_once(done)) == (2, "gatewaylog: -: Bad file descriptor")


def test_what_is_told_never_comes_with_the_output() -> None:
    done = called_by_a_shell(["search", "x | statz", str(SEED)], "2>&-")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(("verb", "missing"), [("search", "QUERY"), ("show", "ID")])
def test_only_what_must_be_given_is_said_to_be_missing(
    verb: str, missing: str, capsys: CaptureFixture[str]
) -> None:
    told = Told(capsys, verb)
    assert told.err == (
        f"gatewaylog: {verb}: the following arguments are required: {missing}"
        f" (see gatewaylog {verb} --help)\n"
    )


@pytest.mark.parametrize(("verb", "first"), [("tail", "QUERY"), ("report", "NAME")])
def test_the_usage_of_a_verb_has_all_that_it_takes(
    verb: str, first: str, capsys: CaptureFixture[str]
) -> None:
    told = Told(capsys, verb, "--help")
    assert told.out.startswith(f"usage: gatewaylog {verb} [{first}] [FILE ...] [options]\n")
