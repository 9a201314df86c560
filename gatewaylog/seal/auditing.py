"""Whether the files of a log are those that its digests tell of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatewaylog.reader.names import name_of
from gatewaylog.reader.sources import Source, siblings
from gatewaylog.seal.digest import SUFFIX, hash_of, read_line
from gatewaylog.seal.held import first_of, held_by, lines_in
from gatewaylog.seal.linking import Begun, Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from gatewaylog.seal.digest import Digest, Signed, Span
    from gatewaylog.seal.keys import Judge


@dataclass(slots=True, kw_only=True)
class _Story:
    """All good digests of one file, in their order, and where that file is now."""

    digests: list[Digest] = field(default_factory=list)
    deleted: bool = False
    source: Source | None = None
    lines: int = 0
    """Those that the file has, once it is read."""

    @property
    def last(self) -> Digest:
        """The newest digest."""
        return self.digests[-1]

    @property
    def first(self) -> str:
        """The SHA-256 of the file's first line."""
        return self.last.first

    @property
    def place(self) -> tuple[object, ...]:
        """What sorts files, oldest first."""
        name = self.last.name if self.source is None else self.source.path.name
        return name_of(name).place, self.digests[0].number


class _File:
    """A file of the log: what it is called, but for what it is packed as, and its first line."""

    def __init__(self, path: Path) -> None:
        self.source = Source(str(path))
        self.name = path.name.removesuffix(name_of(path.name).packed)
        self.first = first_of(self.source)


class Auditing:
    """The digests of one log, which stands at `log`; they are read from `ledger`.

    Raises ReaderError where something can't be read.
    """

    def __init__(self, log: Path, ledger: Path, judges: Iterable[Judge]) -> None:
        self.wrong: list[Wrong] = []
        self.deleted: list[Digest] = []
        """What tells of files that retention deleted."""
        self.pruned = 0
        """How many digests at the front are gone with such files."""
        self.digests = 0
        self.last: Digest | None = None
        self._log = log
        self._judges = {judge.name: judge for judge in judges}
        self._stories: dict[str, _Story] = {}
        self._by_path: dict[Path, _Story] = {}
        self._left_off: dict[str, Span] = {}  # of writers in files that are gone with their digests
        self._read(ledger)
        self._find()

    def _read(self, ledger: Path) -> None:
        source = Source(str(ledger))
        before, number, told = "", 0, ""
        for at, raw in enumerate(lines_in(source), 1):
            try:
                signed = read_line(raw)
                digest = signed.digest
                if self._is_anchor(signed, at):
                    before, number = digest.before, digest.number
                    continue
                problem = self._problem(signed, number + 1, before)
                number = digest.number
            except ValueError as error:
                problem, signed, number = str(error), None, number + 1
            if problem and problem != told:
                self.wrong.append(Wrong(file=source.name, number=at, text=f"the digest {problem}"))
            told = problem
            if signed is not None and not problem.startswith("is not"):
                self._take(signed.digest)
            before = hash_of(raw)

    def _is_anchor(self, signed: Signed, at: int) -> bool:
        """Take a first line that stands for digests that were removed with their files."""
        digest = signed.digest
        if at > 1 or not digest.pruned or self._problem(signed, digest.number, digest.before):
            return False
        self.pruned, self._left_off, self.last = digest.number, digest.writers, digest
        return True

    def _problem(self, signed: Signed, number: int, before: str) -> str:
        digest = signed.digest
        judge = self._judges.get(digest.key)
        if judge is None:
            return f"is not judged: it is signed by the key {digest.key!r}, which is not given"
        if not judge.is_good(signed.signature, signed.text):
            return "is not what was signed"
        if digest.number != number or digest.before != before:
            return "does not follow the one before: digests were removed, changed or moved"
        return ""

    def _take(self, digest: Digest) -> None:
        self.digests += 1
        self.last = digest
        if digest.deleted:
            self.deleted.append(digest)
        elif not digest.pruned:
            self._stories.setdefault(digest.first, _Story()).digests.append(digest)

    def _find(self) -> None:
        """Find each file: by its name and first line, by the name that a rotated file keeps, by its
        first line alone, which it keeps too, and by its name where that line was changed.
        """
        gone = {known for digest in self.deleted for known in (digest.first, digest.name)}
        for story in self._stories.values():
            story.deleted = story.first in gone or story.last.name in gone
        files = [_File(path) for path in siblings(self._log)]
        ways: tuple[tuple[Callable[[_File], object], Callable[[_Story], object]], ...] = (
            (lambda file: (file.name, file.first), lambda story: (story.last.name, story.first)),
            (lambda file: file.name, lambda story: story.last.name if story.last.final else None),
            (lambda file: file.first, lambda story: story.first),
            (lambda file: file.name, lambda story: None if story.deleted else story.last.name),
        )
        for of_file, of_story in ways:
            left = {of_file(file): file for file in reversed(files)}
            for story in self._stories.values():
                if story.source is None and (found := left.pop(of_story(story), None)) is not None:
                    story.source = found.source
                    files.remove(found)
                    self._by_path[found.source.path.resolve()] = story

    def _story_of(self, path: Path) -> _Story | None:
        return self._by_path.get(path.resolve())

    def begun(self, path: Path) -> Begun:
        """Return what is known of the writers where a file begins."""
        own = self._story_of(path)
        chains = {writer: {span.last_chain.encode()} for writer, span in self._left_off.items()}
        for story in sorted(self._stories.values(), key=lambda story: story.place):
            if story is own:
                break
            for writer, span in story.last.writers.items():
                chains.setdefault(writer, set()).add(span.last_chain.encode())
        return Begun(
            firsts={name: span.first_seq for name, span in own.last.writers.items()} if own else {},
            chains={writer: frozenset(known) for writer, known in chains.items()},
            is_known=bool(self.digests or self.pruned),
        )

    def check(self) -> None:
        """Compare the files with what was signed of them."""
        for story in self._stories.values():
            if story.source is not None:
                self._compare(story.source, story)
            elif not story.deleted:
                text = f"is missing: {story.last.lines} lines of it were signed at {story.last.at}"
                name = str(self._log.with_name(story.last.name))
                self.wrong.append(Wrong(file=name, number=0, text=text))

    def _compare(self, source: Source, story: _Story) -> None:
        held = held_by(source, (digest.size for digest in story.digests))
        story.lines = held.lines
        good = 0
        for digest in sorted(story.digests, key=lambda digest: digest.size):
            sha256 = held.hashes.get(digest.size)
            if sha256 is None:
                text = f"is cut here: {digest.lines} lines of it were signed at {digest.at}"
                self.wrong.append(Wrong(file=source.name, number=held.lines + 1, text=text))
                return
            if sha256 != digest.sha256:
                text = (
                    f"from here to line {digest.lines} something is not as it was signed"
                    f" at {digest.at}"
                )
                self.wrong.append(
                    Wrong(file=source.name, number=good + 1, text=text, last=digest.lines)
                )
                return
            good = digest.lines
        if story.last.final and held.size > story.last.size:
            text = f"was added behind the end of the file that was signed at {story.last.at}"
            self.wrong.append(Wrong(file=source.name, number=good + 1, text=text))

    def cut_ends(self, path: Path, ends: dict[str, int]) -> Iterator[Wrong]:
        """Yield the writers whose last lines in a file were removed; `ends` are the last Seqs that
        were found.
        """
        story = self._story_of(path)
        for writer, span in story.last.writers.items() if story else ():
            found = ends.get(writer, span.first_seq - 1)
            if found < span.last_seq:
                text = (
                    f"writer {writer}: Seq {found + 1} to {span.last_seq} were removed at its end;"
                    f" they were signed at {story.last.at if story else ''}"
                )
                yield Wrong(file=str(path), number=0, text=text)

    def unsigned(self, path: Path) -> int:
        """Return how many lines of a file no digest covers yet, once all is checked."""
        story = self._story_of(path)
        if story is None:
            return held_by(Source(str(path))).lines
        return max(0, story.lines - story.last.lines)


def ledger_of(path: Path) -> tuple[Path, Path]:
    """Return the log that a file belongs to, and where its digests are."""
    log = path.with_name(name_of(path.name).family)
    return log, log.with_name(log.name + SUFFIX)
