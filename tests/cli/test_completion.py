"""`gatewaylog completion`: the scripts, tried in the shells that are here."""

from __future__ import annotations

import subprocess

from gatewaylog.cli.verbs import VERBS
from tests.cli.processes import gatewaylog, said_once
from tests.requirements import program


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
    code = f"{script('fish')}\ncomplete -C 'gatewaylog t'; complete -C 'gatewaylog demo --p'"
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
