"""The verbs, and how their arguments are read: argparse, as the middleware's installation has
nothing but Python.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

import gatewaylog

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# In the order of --help. A verb's module has its name.
VERBS = {
    "serve": "run the gateway that a configuration file describes",
    "check": "say whether a configuration file is good",
    "demo": "run a gateway with three small APIs, to try it",
    "tail": "show the last exchanges of a log, and follow it",
    "search": "search a log in Splunk's language: events, tables, charts",
    "show": "show all that is known of one exchange, by any of its ids",
    "orphans": "name requests without an end, and ends without a request",
    "report": "ready reports: APIs, errors, unmatched URLs, clients, the slowest",
    "dashboard": "show a log on a local web page: figures, live tail, exchanges",
    "convert": "write the same events in another format",
    "ship": "deliver a log to Loki, Splunk, ClickHouse, syslog, OpenTelemetry…",
    "rotate": "rotate a log now, pack and delete what was rotated",
    "verify": "say whether a log is whole: none missing, double, out of order",
    "events": "show who did what: records of the event log, whole sessions",
    "tokens": "show how tokens are used, from the database a log is shipped to",
    "keys": "make, list, disable API keys; make those of a tamper-evident log",
    "completion": "print a script that completes this command in bash, zsh or fish",
}


TIME = "TIME"  # the metavar of options whose value is a time, which may begin with -


class WrongCall(Exception):
    """The command line can't be read; the message is for who typed it."""


class Verb(Protocol):
    """A verb's module: what --help shows, what it takes, what it does.

    `configure` adds the arguments and needs no extra; `run` returns the exit status.
    """

    EXAMPLE: str

    def configure(self, parser: Parser) -> None:
        """Add the verb's arguments to its parser."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it."""


class Parser(argparse.ArgumentParser):
    """Raises WrongCall instead of printing the usage; keeps its arguments for completion."""

    def __init__(self, prog: str, **options: Any) -> None:
        self.arguments: list[argparse.Action] = []
        self.words: list[str] = []  # that may stand where files do
        super().__init__(
            prog=prog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,
        )

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """Add an argument, and keep it."""
        self.arguments.append(super().add_argument(*names, **options))
        return self.arguments[-1]

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> argparse.Namespace:
        """Read arguments: options may stand between words, and have values such as `-15m`."""
        found = self.parse_intermixed_args(self._with_values(list(args or ())), namespace)
        return cast("argparse.Namespace", found)

    def _with_values(self, words: list[str]) -> list[str]:
        """Join `--since -15m`, which argparse would take for two options, to one word."""
        timed = {
            name
            for argument in self.arguments
            if argument.metavar == TIME
            for name in argument.option_strings
        }
        joined: list[str] = []
        for word in words:
            if joined and joined[-1] in timed and "--" not in joined:
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return joined

    def error(self, message: str) -> NoReturn:
        """Raise WrongCall."""
        verb = self.prog.removeprefix("gatewaylog").strip()
        raise WrongCall(f"{verb}: {message} (see {self.prog} --help)" if verb else message)


def load(name: str) -> Verb:
    """Import a verb's module. Raises WrongCall where there is no such verb."""
    if name not in VERBS:
        raise WrongCall(f"there is no verb {name!r}; {nearest(name, VERBS)}")
    return cast("Verb", importlib.import_module(f"gatewaylog.cli.{name}"))


def called(words: Sequence[str]) -> tuple[Verb, Parser, list[str]]:
    """Return the verb that words begin with, the parser of its arguments, and what is left.

    A verb that is several has PARTS, and a second word tells which. Raises WrongCall.
    """
    name, *rest = words
    verb = load(name)
    parts: Mapping[str, str] | None = getattr(verb, "PARTS", None)
    if parts is not None and rest and not rest[0].startswith("-"):
        return *part(name, rest.pop(0), parts), rest
    return verb, parser_of(name, verb), rest


def part(group: str, name: str, known: Mapping[str, str]) -> tuple[Verb, Parser]:
    """Return a verb of a verb's own, `tokens init` say, of those that are `known`, and the parser
    of its arguments. Raises WrongCall.
    """
    if name not in known:
        raise WrongCall(f"{group}: there is no {name!r}; {nearest(name, known)}")
    verb = cast("Verb", importlib.import_module(f"gatewaylog.cli.{group}.{name}"))
    return verb, _parser(f"{group} {name}", known[name], verb)


def parser_of(name: str, verb: Verb) -> Parser:
    """Return the parser of a verb's arguments."""
    return _parser(name, VERBS[name], verb)


def _parser(name: str, tells: str, verb: Verb) -> Parser:
    parser = Parser(
        f"gatewaylog {name}",
        description=f"{tells[0].upper()}{tells[1:]}.",
        epilog=f"example:\n{verb.EXAMPLE}",
    )
    verb.configure(parser)
    return parser


def overview() -> Parser:
    """Return the parser of what stands before any verb."""
    parser = Parser(
        "gatewaylog",
        usage="gatewaylog VERB …",
        description="The API gateway access log.\n\nverbs:\n"
        + "\n".join(f"  {name:<12}{tells}" for name, tells in VERBS.items()),
        epilog="gatewaylog VERB --help tells more of a verb, with an example.",
    )
    version = f"gatewaylog {gatewaylog.__version__}"
    parser.add_argument("--version", action="version", version=version, help="show the version")
    return parser


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to write instead: the nearest known word, else all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
