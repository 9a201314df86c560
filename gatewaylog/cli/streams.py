"""Standard input, output and error, any of which a caller may have closed (`>&-`)."""

from __future__ import annotations

import os
import sys

from gatewaylog.cli.verbs import WrongCall


def settle() -> None:
    """Have all three there, so that nothing else looks whether they are.

    What is closed is given a place that refuses what is asked of it: else the next file that is
    opened would be standard input, and what is meant for standard error would go to the output.
    Raises WrongCall where standard output is closed, as there is nobody to answer.
    """
    if sys.stdin is None:
        sys.stdin = open(os.open(os.devnull, os.O_WRONLY), encoding="utf-8")  # noqa: SIM115, PTH123 - kept
    is_closed = sys.stdout is None
    if is_closed:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - kept
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - kept
    if is_closed:
        raise WrongCall("standard output is closed: there is nowhere to write to")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know every letter
