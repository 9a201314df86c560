"""`gatewaylog completion SHELL`: a script that completes verbs, options and files."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.cli.verbs import VERBS, load, parser_of

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  eval "$(gatewaylog completion bash)"       # in ~/.bashrc
  eval "$(gatewaylog completion zsh)"        # in ~/.zshrc, after compinit
  gatewaylog completion fish | source        # in ~/.config/fish/config.fish"""


class _Words(NamedTuple):
    """What can follow a verb: options (each with its help), and words that are no file."""

    options: dict[str, str]
    words: list[str]


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("shell", choices=list(_SCRIPTS), help="for which shell")


def run(options: Namespace) -> int:
    """Print the script."""
    known = {name: _words(parser_of(name, load(name))) for name in VERBS}
    print(_SCRIPTS[options.shell](known))
    return 0


def _words(parser: Parser) -> _Words:
    words = _Words({}, list(parser.words))
    for argument in parser.arguments:
        for option in argument.option_strings:
            words.options[option] = argument.help or ""
        if not argument.option_strings:
            words.words.extend(map(str, argument.choices or ()))
    return words


def _bash(known: dict[str, _Words]) -> str:
    """Return a script for bash 3.2 (macOS) and later; where no word fits, files do."""
    cases = "\n".join(
        f'    {name}) words="{" ".join([*words.options, *words.words])}" ;;'
        for name, words in known.items()
    )
    return f"""\
_gatewaylog() {{
  local words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{" ".join([*known, "--help", "--version"])}"
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  # shellcheck disable=SC2207  # no word has a space; bash 3.2 has no mapfile
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _gatewaylog gatewaylog"""


def _zsh(known: dict[str, _Words]) -> str:
    verbs = " ".join(shlex.quote(f"{name}:{tells}") for name, tells in VERBS.items())
    cases = "\n".join(
        f"    {name}) compadd -- {' '.join([*words.options, *words.words])} ;;"
        for name, words in known.items()
    )
    return f"""\
#compdef gatewaylog
_gatewaylog() {{
  if (( CURRENT == 2 )); then
    local -a verbs=({verbs})
    _describe verb verbs
    compadd -- --help --version
    return
  fi
  case "$words[2]" in
{cases}
  esac
  _files
}}
compdef _gatewaylog gatewaylog"""


def _fish(known: dict[str, _Words]) -> str:
    first = "complete -c gatewaylog -n __fish_use_subcommand"
    lines = [f"{first} -l help", f"{first} -l version"]
    for name, words in known.items():
        lines.append(f"{first} -f -a {name} -d {shlex.quote(VERBS[name])}")
        behind = f"complete -c gatewaylog -n '__fish_seen_subcommand_from {name}'"
        lines += [
            f"{behind} {_fish_option(option)} -d {shlex.quote(tells)}"
            for option, tells in words.options.items()
        ]
        if words.words:
            lines.append(f"{behind} -f -a '{' '.join(words.words)}'")
    return "\n".join(lines)


def _fish_option(option: str) -> str:
    return f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"


_SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
