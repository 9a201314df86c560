"""`gatewaylog verify [FILE…]`: whether a log is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli import logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader.sequences import Flaw, Sequences

EXAMPLE = """\
  gatewaylog verify logs/

Each line carries its writer and its number (Writer, Seq). What is missing,
double, out of order or can't be read is a line each, and the exit status is
1 then. What a writer lost at its very end can't be seen."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)


def run(options: Namespace) -> int:
    """Say what is wrong with a log; return 1 where anything is."""
    from gatewaylog.reader.lines import batches
    from gatewaylog.reader.sequences import Sequences

    sources = logs.sources_of(options, "verify")
    found = Sequences()
    for source in sources:
        for batch in batches(source):
            for entry in batch:
                found.add(entry)
    if found.lines and found.unnumbered == found.lines:
        raise WrongCall(
            "verify: no line has Writer and Seq, so that nothing can be said:"
            ' a log with fields = "seed" does not carry them'
        )
    flaws = list(found.flaws())
    for flaw in flaws:
        print(printable(_shown(flaw)))
    print(_summary(found, flaws, len(sources)))
    return 1 if flaws else 0


def _shown(flaw: Flaw) -> str:
    where = f"{flaw.file}:{flaw.number}"
    if flaw.what == "unreadable":
        return f"{where}: torn or not readable: {flaw.reason}"
    if flaw.what != "missing":
        return f"{where}: writer {flaw.writer}: Seq {flaw.first} is {flaw.what}"
    count = flaw.last - flaw.first + 1
    numbers = f"Seq {flaw.first}" + (f" to {flaw.last}" if count > 1 else "")
    missing = "is missing" if count == 1 else f"are missing, {count} events"
    told = f": LOG_LOSS: {flaw.reason}" if flaw.reason else ", and no LOG_LOSS tells of it"
    return f"{where}: writer {flaw.writer}: before this line {numbers} {missing}{told}"


def _summary(found: Sequences, flaws: list[Flaw], files: int) -> str:
    missing = sum(flaw.last - flaw.first + 1 for flaw in flaws if flaw.what == "missing")
    counts = {
        what: sum(flaw.what == what for flaw in flaws)
        for what in ("double", "out of order", "unreadable")
    }
    parts = [f"{missing} missing", *(f"{count} {what}" for what, count in counts.items())]
    text = (
        f"{_counted(files, 'file')}, {_counted(found.lines, 'line')}"
        f" of {_counted(found.writers, 'writer')}: {', '.join(parts) if flaws else 'whole'}"
    )
    if found.begun_before:
        text += f"; {_counted(found.begun_before, 'writer')} began in files that are not here"
    if found.unnumbered:
        text += f"; {_counted(found.unnumbered, 'line')} without Seq can't be judged"
    return text


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
