"""The command `gatewaylog`: one module a verb, loaded when the verb is called."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from gatewaylog.cli import streams, troubles
from gatewaylog.cli.failures import WRONG, tell
from gatewaylog.cli.verbs import called, overview

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; return the exit status.

    0 is done, 1 the answer "no", 2 a wrong call or configuration, told in one line on standard
    error, or a file among several that could not be read. Ctrl-C where it is not the usual end
    gives 130, a fault of gatewaylog's own 70.
    """
    troubles.forget()
    try:
        streams.settle()
        status = _called(list(arguments))
        print(end="", flush=True)
        if troubles.any_refused():
            status = max(status, WRONG)
    except BaseException as error:  # noqa: BLE001 - the one place that turns errors into text
        status = tell(error, verb=arguments[0] if arguments else "")
    _settle_output()
    return status


def _called(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        overview().parse_args(arguments)
        overview().error("which verb? gatewaylog --help lists them")
    verb, parser, rest = called(arguments)
    return verb.run(parser.parse_args(rest))


def _settle_output() -> None:
    """Drop what standard output can't take any more: Python would complain of it at its end."""
    with contextlib.suppress(AttributeError, ValueError):  # closed, or not a file's
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
