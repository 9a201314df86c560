"""`gatewaylog completion SHELL`: a script that completes verbs, options, queries and files."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.cli.verbs import VERBS, WrongCall, load, parser_of, part

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  eval "$(gatewaylog completion bash)"       # in ~/.bashrc
  eval "$(gatewaylog completion zsh)"        # in ~/.zshrc, after compinit
  gatewaylog completion fish | source        # in ~/.config/fish/config.fish

Inside a QUERY it completes fields, commands and functions, and after API= the APIs
of gateway.toml and of the log."""

_QUERIED = ("search", "tail")  # verbs that take a QUERY


class _Words(NamedTuple):
    """What can follow a verb: options (each with its help), their values, words that are no file.

    An option that has a value which is not listed has an empty list of them.
    """

    options: dict[str, str]
    values: dict[str, list[str]]
    words: list[str]


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("shell", choices=list(_SCRIPTS), nargs="?", help="for which shell")
    # What the scripts ask: the query up to the cursor, and the words of the line.
    parser.add_argument("--query", help=argparse.SUPPRESS)
    parser.add_argument("--among", default="", help=argparse.SUPPRESS)


def run(options: Namespace) -> int:
    """Print the script, or what a query may go on with, one a line."""
    if options.query is not None:
        from gatewaylog.cli.query_words import apis_of, query_words

        words = options.among.split("\n")
        for word in query_words(options.query, lambda: apis_of(words)):
            print(word)
        return 0
    if options.shell is None:
        raise WrongCall(f"completion: for which shell? One of {', '.join(_SCRIPTS)}")
    known = {name: _of(name) for name in VERBS}
    print(_SCRIPTS[options.shell](known))
    return 0


def _of(name: str) -> _Words:
    """Return what can follow a verb; of one that is several, all that can follow any of them."""
    verb = load(name)
    known: dict[str, str] = getattr(verb, "PARTS", {})
    parsers = [part(name, of_several, known)[1] for of_several in known]
    arguments = [argument for parser in parsers for argument in parser.arguments]
    return _words(parser_of(name, verb), arguments)


def _words(parser: Parser, parts: Sequence[argparse.Action]) -> _Words:
    words = _Words({}, {}, list(parser.words))
    for argument in [*parser.arguments, *parts]:
        if argument.help == argparse.SUPPRESS:
            continue
        choices = list(map(str, argument.choices or ()))
        for option in argument.option_strings:
            words.options[option] = argument.help or ""
            if argument.nargs != 0:
                words.values[option] = choices
        if not argument.option_strings:
            words.words.extend(choices)
    return words


def _bash(known: dict[str, _Words]) -> str:
    """Return a script for bash 3.2 (macOS) and later; where no word fits, files do.

    What a query may go on with is taken as text: `compgen -W` would expand it.
    """
    cases = "\n".join(
        f'    {name}) words="{" ".join([*words.options, *words.words])}" ;;'
        for name, words in known.items()
    )
    values = "\n".join(
        f'    "{name} {option}") words="{" ".join(choices)}"; valued=1 ;;'
        for name, words in known.items()
        for option, choices in words.values.items()
    )
    return f"""\
_gatewaylog_query() {{
  local line="${{COMP_LINE:0:COMP_POINT}}" word="$1" head one
  case "${{COMP_WORDS[COMP_CWORD]}}" in
    [\\'\\"]*) ;;
    *) word="${{line##*[[:space:]]}}" ;;
  esac
  head="${{word%"$1"}}"
  while IFS= read -r one; do
    COMPREPLY+=("${{one#"$head"}}")
  done < <(gatewaylog completion --query="$word" \\
    --among="$(printf '%s\\n' "${{COMP_WORDS[@]:2}}")" 2>/dev/null)
  if [ "${{#COMPREPLY[@]}}" -gt 0 ]; then compopt -o nospace 2>/dev/null || :; fi
  case "${{#COMPREPLY[@]}}${{COMP_WORDS[COMP_CWORD]}}" in # readline closes the quotation behind one
    1[\\'\\"]*) COMPREPLY+=("${{COMPREPLY[0]}} ") ;;
  esac
}}
_gatewaylog_is_query() {{
  local at line="${{COMP_LINE:0:COMP_POINT}}"
  case "${{COMP_WORDS[1]}}" in {"|".join(_QUERIED)}) ;; *) return 1 ;; esac
  case "${{COMP_WORDS[COMP_CWORD]}}" in -*) return 1 ;; [\\'\\"]*) return 0 ;; esac
  case "${{line##*[[:space:]]}}" in -*) return 1 ;; ?*=*) return 0 ;; esac
  for ((at = 2; at < COMP_CWORD; at++)); do
    case "${{COMP_WORDS[at]}}" in -*) ;; *) return 1 ;; esac
  done
  [ "${{COMP_WORDS[1]}}" = search ] || [ -n "${{COMP_WORDS[COMP_CWORD]}}" ]
}}
_gatewaylog() {{
  local words="" valued=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{" ".join([*known, "--help", "--version"])}"
  else
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[COMP_CWORD - 1]}}" in
{values}
    esac
    if [ -z "$valued" ]; then
      if _gatewaylog_is_query; then _gatewaylog_query "${{2-${{COMP_WORDS[COMP_CWORD]}}}}"; fi
      case "${{COMP_WORDS[1]}}" in
{cases}
      esac
    fi
  fi
  # shellcheck disable=SC2207  # no word has a space; bash 3.2 has no mapfile
  COMPREPLY+=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _gatewaylog gatewaylog"""


def _zsh(known: dict[str, _Words]) -> str:
    verbs = " ".join(shlex.quote(f"{name}:{tells}") for name, tells in VERBS.items())
    cases = "\n".join(
        f"    {name}) compadd -- {' '.join([*words.options, *words.words])} ;;"
        for name, words in known.items()
    )
    values = "\n".join(
        f'    "{name} {option}") {_zsh_values(choices)}; return ;;'
        for name, words in known.items()
        for option, choices in words.values.items()
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
  case "$words[2] $words[CURRENT-1]" in
{values}
  esac
  if [[ $words[2] == ({"|".join(_QUERIED)}) && $PREFIX != -* ]]; then
    if [[ -n $QIPREFIX || $PREFIX == *=* || ( CURRENT -eq 3 && "$words[2]$PREFIX" != tail ) ]]; then
      local -a found=("${{(@f)$(gatewaylog completion --query="$PREFIX" \\
        --among="${{(F)words[3,-1]}}" 2>/dev/null)}}")
      [[ -n $found[1] ]] && compadd -S '' -a found && [[ -n $QIPREFIX ]] && return
    fi
  fi
  case "$words[2]" in
{cases}
  esac
  _files
}}
compdef _gatewaylog gatewaylog"""


def _zsh_values(choices: list[str]) -> str:
    return f"compadd -- {' '.join(choices)}" if choices else "_files"


def _fish(known: dict[str, _Words]) -> str:
    first = "complete -c gatewaylog -n __fish_use_subcommand"
    lines = [
        "function __gatewaylog_query",
        "  set -l word (string replace -r '^[\\'\"]' '' -- (commandline -ct))",
        "  string match -q -- '-*' $word; and return",
        "  string match -q -- '' \"$word\"; and __fish_seen_subcommand_from tail; and return",
        "  set -l among (string join \\n -- (commandline -opc)[3..-1] | string collect)",
        '  gatewaylog completion --query="$word" --among="$among" 2>/dev/null',
        "end",
        f"{first} -l help",
        f"{first} -l version",
    ]
    for name, words in known.items():
        lines.append(f"{first} -f -a {name} -d {shlex.quote(VERBS[name])}")
        behind = f"complete -c gatewaylog -n '__fish_seen_subcommand_from {name}'"
        lines += [
            f"{behind} {_fish_option(option)}{_fish_values(words, option)} -d {shlex.quote(tells)}"
            for option, tells in words.options.items()
        ]
        if words.words:
            lines.append(f"{behind} -f -a '{' '.join(words.words)}'")
        if name in _QUERIED:
            lines.append(f"{behind} -a '(__gatewaylog_query)'")
    return "\n".join(lines)


def _fish_option(option: str) -> str:
    return f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"


def _fish_values(words: _Words, option: str) -> str:
    if option not in words.values:
        return ""
    choices = words.values[option]
    return f" -x -a '{' '.join(choices)}'" if choices else " -r"


_SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
