"""`gatewaylog completion`: the scripts, tried in the shells that are here."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shlex
import subprocess
from typing import TYPE_CHECKING, get_args

import pytest

from gatewaylog.cli import query_words
from gatewaylog.cli.verbs import VERBS
from gatewaylog.exchange import Outcome
from gatewaylog.search import QueryError, compile_query
from gatewaylog.search.commands.aggregations import AGGREGATORS
from gatewaylog.search.functions import FUNCTIONS
from gatewaylog.search.parser import COMMANDS
from tests.cli.processes import COMMAND, Running, at_terminal, gatewaylog, said_once
from tests.cli.test_tail import INCOMING, written
from tests.requirements import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


HOSTILE = (
    "$(touch ran)",
    "`touch ran`",
    "a'; touch ran; '",
    'a"; touch ran; "',
    "a b",
    "a;touch ran",
    "a|touch ran",
    "*",
    "a\nb",
    "-rf",
    "~root",
    "é",
)
SAFE = ("alice--Echo:v1", "alice--Other:v1", "bob--Orders:v2")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a log, hostile names in it, and a command to be found."""
    command = tmp_path / "bin" / "gatewaylog"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    events = [INCOMING._replace(api=name) for name in (*HOSTILE, *SAFE, *HOSTILE)]
    written(tmp_path / "api-access.log", *events)
    (tmp_path / "home").mkdir()
    return tmp_path


class Typing:
    """A shell at a terminal, with the script read."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def completes(self, typed: str, pattern: str) -> None:
        """Type and press Tab; wait until the line reads so; empty the line."""
        self._running.seen = b""
        self._running.types(typed.encode() + b"\t")
        self._running.reads(pattern)
        self._running.types(b"\x15")


@contextlib.contextmanager
def typing(shell: str, place: Path) -> Iterator[Typing]:
    options, begin = {
        "bash": (["--norc", "--noprofile", "-i"], ""),
        "zsh": (["-f", "-i"], "autoload -Uz compinit; compinit -D -u; "),
    }[shell]
    surroundings = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "HOME": str(place / "home"),
        "INPUTRC": os.devnull,
        "PS1": "$ ",
    }
    with at_terminal(command=[program(shell), *options], cwd=place, **surroundings) as running:
        running.types(f'{begin}eval "$(gatewaylog completion {shell})"; echo rea""dy\n'.encode())
        running.reads(r"[\r\n]ready")
        yield Typing(running)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_inside_a_query(shell: str, place: Path) -> None:
    with typing(shell, place) as line:
        line.completes("gatewaylog search 'API=bo", r"API=bo\x07?b--Orders:v2")
        line.completes("gatewaylog search API=bo", r"API=bo\x07?b--Orders:v2")
        line.completes("gatewaylog tail 'NOT Event=I", r"Event=I\x07?NCOMING_REQUEST")
        line.completes("gatewaylog search 'API!=bo", r"API!=bo\x07?b--Orders:v2")
        line.completes("gatewaylog search 'API IN (bo", r"API IN \(bo\x07?b--Orders:v2")
        line.completes("gatewaylog search '* | eval x=isno", r"x=isno\x07?tnull\(")
        line.completes("gatewaylog search '* | timec", r"\| timec\x07?hart")
        line.completes("gatewaylog search '* | eval x=1 | where isnotn", r"isnotn\x07?ull\(")
        line.completes('gatewaylog search "x" --output nd', "--output nd\x07?json")
        line.completes("gatewaylog tail api-acc", r"api-acc\x07?ess\.log")
    assert not (place / "ran").exists()


def test_fish_completes_inside_a_query(place: Path) -> None:
    lines = [
        "gatewaylog search 'API=al",
        "gatewaylog search API=bo",
        "gatewaylog tail 'NOT Event=I",
        "gatewaylog search '* | timec",
        "gatewaylog tail --output nd",
    ]
    asked = "\n".join(f"complete -C {shlex.quote(line)}" for line in lines)
    done = subprocess.run(
        [program("fish"), "--no-config", "-c", f"gatewaylog completion fish | source\n{asked}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=place,
        env={**os.environ, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"},
        timeout=60,
    )
    assert [one.split("\t")[0] for one in done.stdout.splitlines()] == [
        "API=alice--Echo:v1",
        "API=alice--Other:v1",
        "API=bob--Orders:v2",
        "NOT Event=INCOMING_REQUEST",
        "* | timechart",
        "ndjson",
    ]
    assert (done.stderr, (place / "ran").exists()) == ("", False)


def asked(text: str, place: Path, *among: str) -> list[str]:
    words = "\n".join(among)
    done = gatewaylog("completion", f"--query={text}", f"--among={words}", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_only_names_that_mean_nothing_to_a_shell_are_offered(place: Path) -> None:
    assert asked("API=", place) == [f"API={name}" for name in SAFE]
    apis = "".join(f"[[api]]\nname = {json.dumps(name)}\n" for name in (*HOSTILE, "Configured"))
    (place / "gateway.toml").write_text(f"{apis}provider = 'p'\nversion = '1'\n")
    assert asked("API=p", place) == ["API=p--Configured:v1"]


@pytest.mark.parametrize("form", ["json", "logfmt"])
def test_apis_are_found_in_logs_of_other_formats_and_in_folders(form: str, place: Path) -> None:
    (place / "logs").mkdir()
    written(place / "logs" / "other.log", INCOMING._replace(api="carol--News:v1"), form=form)
    assert asked('x OR (API="c', place, "--since", "-15m", "logs") == ['x OR (API="carol--News:v1']
    assert asked("API=", place, "--config", "none.toml", "logs/other.log") == ["API=carol--News:v1"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"api = 3\n", b"[[api]]\nname = [1]\n", b"[log]\npath=3"]
)
def test_what_is_wrong_with_a_configuration_is_not_told_at_the_prompt(
    content: bytes, place: Path
) -> None:
    (place / "gateway.toml").write_bytes(content)
    (place / "api-access.log").unlink()
    assert [one for one in asked("API=", place) if "[" not in one] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Stat", ["StatusCode="]),
        ("x | st", ["x | stats"]),
        ("x | stats me", ["x | stats median"]),
        ("x | top StatusC", ["x | top StatusCode"]),
        ("x | search StatusC", ["x | search StatusCode="]),
        ("ErrorSource=_", ["ErrorSource=_auth_failure_handler_"]),
        ("x | eval y=str", ["x | eval y=strftime(", "x | eval y=strptime("]),
        ("x | eval y=len(StatusC", ["x | eval y=len(StatusCode"]),
        ("x | timechart lim", ["x | timechart limit="]),
        ("x | timechart limit=", []),
        ("x | transaction API maxs", ["x | transaction API maxspan="]),
        ("ErrorSource!=ma", ["ErrorSource!=main"]),
        ("ErrorSource IN (ma", ["ErrorSource IN (main"]),
        ('ErrorSource IN ("a b", ma', ['ErrorSource IN ("a b", main']),
        ("ErrorSource IN (main,fa", ["ErrorSource IN (main,fault"]),
        ('x | where ErrorSource=="ma', ['x | where ErrorSource=="main']),
        ("(ErrorSource IN (main)) ma", []),
        ('RequestInURL="Stat', []),
        ("StatusCode=", []),
        ("x>", []),
        ("x | where y>StatusC", ["x | where y>StatusCode"]),
    ],
)
def test_a_query_goes_on_as_the_language_has_it(text: str, words: list[str]) -> None:
    assert query_words.query_words(text, list) == words


def _said_of(query: str) -> str:
    try:
        compile_query(query, now=0.0)
    except QueryError as error:
        return error.message
    return ""


def test_the_words_are_those_of_the_language() -> None:
    assert set(query_words.COMMANDS) == set(COMMANDS)
    assert set(query_words.FUNCTIONS) == set(FUNCTIONS)
    assert set(query_words.AGGREGATORS) == {*AGGREGATORS, "median", "p95"}
    for name, options in query_words.OPTIONS.items():
        begin = "x | chart count by API" if name == "chart" else f"x | {name}"
        for option in options:  # other faults are those of what follows
            assert f"option {option} is not known" not in _said_of(f"{begin} {option}=1 API")
        assert _said_of(f"{begin} nothing=1 API")
    assert set(query_words._VALUES["Outcome"]) == set(get_args(Outcome))


def test_a_shell_has_to_be_named() -> None:
    assert "for which shell? One of bash, zsh, fish" in said_once(gatewaylog("completion"))


@pytest.mark.alone
def test_a_tab_takes_less_than_a_fifth_of_a_second_of_the_processor(place: Path) -> None:
    (place / "api-access.log").write_bytes((place / "api-access.log").read_bytes() * 10_000)
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        asked("API=", place)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(took) < 0.2


def script(shell: str) -> str:
    done = gatewaylog("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def shell(name: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [program(name), *arguments], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def completed_by_bash(*words: str) -> set[str]:
    typed = " ".join(f"'{word}'" for word in ("gatewaylog", *words))
    code = (
        f"{script('bash')}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words)}; _gatewaylog;"
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return set(shell("bash", "--norc", "-c", code))


def test_bash_completes_verbs() -> None:
    assert completed_by_bash("") == {*VERBS, "--help", "--version"}
    assert completed_by_bash("ser") == {"serve"}


def test_bash_completes_the_options_of_a_verb() -> None:
    assert completed_by_bash("tail", "--f") == {"--follow"}
    assert completed_by_bash("demo", "--") == {"--help", "--folder", "--port"}


def test_bash_completes_words_that_are_no_files() -> None:
    assert completed_by_bash("keys", "n") == {"new"}
    assert completed_by_bash("completion", "") == {"-h", "--help", "bash", "zsh", "fish"}


def test_bash_leaves_files_to_readline() -> None:
    assert completed_by_bash("serve", "gate") == {""}
    assert "complete -o default -F _gatewaylog gatewaylog" in script("bash")


def test_fish_completes_verbs_and_options() -> None:
    code = f"{script('fish')}\ncomplete -C 'gatewaylog ta'; complete -C 'gatewaylog demo --p'"
    assert shell("fish", "--no-config", "-c", code) == [
        f"tail\t{VERBS['tail']}",
        "--port\twhere to listen on 127.0.0.1 (default: 8080, or a free one if that is taken)",
    ]


def test_zsh_takes_the_script() -> None:
    code = (
        'autoload -Uz compinit; compinit -D -u; eval "$1"; print ${_comps[gatewaylog]};'
        "whence -w _gatewaylog"
    )
    assert shell("zsh", "-f", "-c", code, "zsh", script("zsh")) == [
        "_gatewaylog",
        "_gatewaylog: function",
    ]


def test_another_shell_is_refused() -> None:
    done = gatewaylog("completion", "tcsh")
    assert done.returncode == 2
    assert "invalid choice: 'tcsh'" in said_once(done)
