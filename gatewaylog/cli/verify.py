"""`gatewaylog verify [FILE…]`: whether a log is whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.cli import endings, logs
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from gatewaylog.cli.tampering import Inspection
    from gatewaylog.cli.verbs import Parser
    from gatewaylog.reader.lines import Entry
    from gatewaylog.reader.sequences import Flaw, Sequences

EXAMPLE = """\
  gatewaylog verify logs/
  gatewaylog verify logs/api-access.log --chain-key chain.key --public-key signing.pub

A log's name means the log with all that was rotated from it, packed or not; a
rotated file's name that file alone.

Each line carries its writer and its number (Writer, Seq). What is missing,
double, out of order or can't be read is a line each, and the exit status is
1 then. Where a writer ended, the event log tells of those that ended in order;
of others that can't be known. With the keys of a tamper-evident log also what
was changed, added, moved, removed or cut."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    logs.configure(parser)
    endings.configure(parser)
    parser.add_argument(
        "--chain-key",
        metavar="FILE",
        action="append",
        default=[],
        help="a key that lines were chained with: names the line that was changed; repeatable",
    )
    parser.add_argument(
        "--public-key",
        metavar="PEM",
        action="append",
        default=[],
        help="a key that checks what was signed of the files; repeatable",
    )
    parser.add_argument(
        "--digest",
        metavar="FILE",
        type=Path,
        help="a copy of FILE.digest that was kept elsewhere, instead of the one beside the log",
    )


def run(options: Namespace) -> int:
    """Say what is wrong with a log; return 1 where anything is."""
    from gatewaylog.cli.tampering import Inspection, in_order
    from gatewaylog.reader.lines import batches
    from gatewaylog.reader.sequences import Sequences

    # As a hole in a rotated file is one in the log.
    sources = in_order(logs.named(options, "verify")._replace(rotated=True).sources())
    found, inspection = Sequences(), Inspection(options, sources)
    for source in sources:
        inspection.file(source)
        for batch in batches(source):
            _take(batch, found, inspection)
    if found.lines and found.unnumbered == found.lines and not inspection.is_any:
        raise WrongCall(
            "verify: no line has Writer and Seq, so that nothing can be said:"
            ' a log with fields = "seed" does not carry them'
        )
    wrong = inspection.wrong()
    named = {(one.file, one.number) for one in wrong}
    flaws = list(found.flaws())
    for one in wrong:
        where = f"{one.file}:{one.number}" if one.number else one.file
        print(printable(f"{where}: {one.text}"))
    for flaw in flaws:
        if (flaw.file, flaw.number) not in named:
            print(printable(_shown(flaw)))
    ends = endings.Endings(options, found.ends)
    cut = list(ends.wrong())
    for text in cut:
        print(printable(text))
    print(printable(_summary(found, flaws, len(sources), tampered=bool(wrong or cut))))
    for text in (*ends.summary(), *inspection.summary()):
        print(printable(text))
    return 1 if flaws or wrong or cut else 0


def _take(entries: Iterable[Entry], found: Sequences, inspection: Inspection) -> None:
    for entry in entries:
        # What a Chain proves needs no reading, which takes most of the time.
        if (link := inspection.follows(entry)) is not None:
            found.number(link.writer, link.seq, entry)
        else:
            found.add(entry)
            inspection.add(entry)


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


def _summary(found: Sequences, flaws: list[Flaw], files: int, *, tampered: bool) -> str:
    missing = sum(flaw.last - flaw.first + 1 for flaw in flaws if flaw.what == "missing")
    counts = {
        what: sum(flaw.what == what for flaw in flaws)
        for what in ("double", "out of order", "unreadable")
    }
    if not found.lines and not flaws:
        return f"{_counted(files, 'file')}: no lines"
    parts = [f"{missing} missing", *(f"{count} {what}" for what, count in counts.items())]
    whole = "no number is missing" if tampered else "whole"
    text = (
        f"{_counted(files, 'file')}, {_counted(found.lines, 'line')}"
        f" of {_counted(found.writers, 'writer')}: {', '.join(parts) if flaws else whole}"
    )
    if found.begun_before:
        text += f"; {_counted(found.begun_before, 'writer')} began in files that are not here"
    if found.unnumbered:
        text += f"; {_counted(found.unnumbered, 'line')} without Seq can't be judged"
    return text


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
