"""What `verify` says of a tamper-evident log: chains and digests, as far as keys are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.verbs import WrongCall
from gatewaylog.formats import Unparsed
from gatewaylog.reader.names import name_of
from gatewaylog.seal.auditing import Auditing, ledger_of
from gatewaylog.seal.chain import link_of
from gatewaylog.seal.keys import judge_of, mac_of
from gatewaylog.seal.linking import Begun, Linking, Wrong

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeVar

    from gatewaylog.reader import Source
    from gatewaylog.reader.lines import Entry
    from gatewaylog.seal.chain import Link

    Key = TypeVar("Key")


class Inspection:
    """Takes the lines of `sources`, oldest first, and says what was changed in them."""

    def __init__(self, options: Namespace, sources: list[Source]) -> None:
        self._macs = _keys("--chain-key", mac_of, options.chain_key)
        self._judges = _keys("--public-key", judge_of, options.public_key)
        self.is_any = bool(self._macs or self._judges)
        self._linking = Linking(self._macs) if self._macs else None
        self._sources = sources
        self._missing: list[Wrong] = []
        self._audits: dict[Path, Auditing] = {}
        self._chained = False
        if options.digest is not None and not self._judges:
            raise WrongCall("verify: --digest: needs --public-key, which checks it")
        if self._judges:
            self._open(options.digest)

    def _open(self, copy: Path | None) -> None:
        files = {ledger_of(source.path) for source in self._sources if not source.is_pipe}
        if copy is not None and len(files) != 1:
            raise WrongCall("verify: --digest: is of one log, and several are given, or none")
        for log, beside in sorted(files):
            ledger = copy or beside
            if ledger.exists():
                self._audits[log] = Auditing(log, ledger, self._judges)
            else:
                text = "is missing: nothing tells what was signed of this log"
                self._missing.append(Wrong(file=str(ledger), number=0, text=text))

    def _audit(self, source: Source) -> Auditing | None:
        return self._audits.get(ledger_of(source.path)[0])

    def file(self, source: Source) -> None:
        """Say which file the next lines stand in."""
        if self._linking is not None:
            audit = self._audit(source)
            self._linking.file(source.name, audit.begun(source.path) if audit else Begun())

    def follows(self, entry: Entry) -> Link | None:
        """Take the next line where its Chain proves it, so that it need not be read; else None."""
        if self._linking is None or b"LOG_LOSS" in entry.raw:
            return None
        return self._linking.follows(entry.raw)

    def add(self, entry: Entry) -> None:
        """Take the next line."""
        if self._linking is None:
            self._chained = self._chained or link_of(entry.raw) is not None
        else:
            line = entry.line
            unread = line.reason if isinstance(line, Unparsed) else ""
            self._linking.add(entry.raw, entry.number, unread)

    def wrong(self) -> list[Wrong]:
        """Return what is wrong: lines first, in the order of the log, then files and digests."""
        lines = [] if self._linking is None else self._linking.wrong
        rest = [*self._missing]
        for audit in self._audits.values():
            audit.check()
            rest += [one for one in audit.wrong if not _is_among(one, lines)]
        return [*lines, *self._ends(), *rest]

    def _ends(self) -> Iterator[Wrong]:
        for source in self._sources:
            audit = self._audit(source)
            if audit is not None and self._linking is not None:
                ends = self._linking.ends[source.name]
                for one in audit.cut_ends(source.path, ends):
                    yield Wrong(file=source.name, number=one.number, text=one.text)

    def summary(self) -> Iterator[str]:
        """Yield what was checked, and what was not and with which key it could be."""
        if self._linking is not None:
            yield self._chains(self._linking)
        elif self._chained:
            yield "the chains were not checked: that needs --chain-key"
        for log, audit in self._audits.items():
            files = [source for source in self._sources if self._audit(source) is audit]
            behind = sum(audit.unsigned(source.path) for source in files)
            last = f", the last of {audit.last.at}" if audit.last is not None else ""
            yield f"{log}: {audit.digests} good digests{last}; {behind} lines are not signed yet"
            yield from (f"{log}: {text}" for text in _gone(audit))
        chained = self._chained or (self._linking is not None and self._linking.is_any)
        if chained and not self._judges:
            yield "the digests were not checked: that needs --public-key"

    def _chains(self, linking: Linking) -> str:
        text = f"{linking.good} lines follow the one before by their Chain"
        if linking.untried:
            text += f"; {linking.untried} could not be tried, as what was before is not here"
        if linking.is_any and not (linking.good or linking.untried):
            text += "; none does: is --chain-key the key of this log?"
        return text


def _gone(audit: Auditing) -> Iterator[str]:
    """Yield what retention removed, as its digests tell."""
    gone = audit.deleted
    if len(gone) == 1:
        yield f"{gone[0].name} was deleted by retention at {gone[0].at}"
    elif gone:
        first, last = gone[0], gone[-1]
        yield (
            f"{len(gone)} files were deleted by retention,"
            f" from {first.name} at {first.at} to {last.name} at {last.at}"
        )
    if audit.pruned:
        yield f"digests 1 to {audit.pruned} are gone with files that retention deleted before"


def in_order(sources: list[Source]) -> list[Source]:
    """Return files in the order that their names tell, as the times in them may be forged."""
    return sorted(sources, key=lambda source: (source.is_pipe, *_place(source.path)))


def _place(path: Path) -> tuple[str, tuple[tuple[int, int | str], ...]]:
    name = name_of(path.name)
    return str(path.with_name(name.family)), name.place


def _is_among(one: Wrong, lines: list[Wrong]) -> bool:
    """Tell whether a range of lines is already told by a line in it."""
    return bool(one.last) and any(
        line.file == one.file and one.number <= line.number <= one.last for line in lines
    )


def _keys(option: str, read: Callable[[str], Key], paths: list[str]) -> list[Key]:
    try:
        return [read(path) for path in paths]
    except ValueError as error:
        raise WrongCall(f"verify: {option}: {error}") from None
