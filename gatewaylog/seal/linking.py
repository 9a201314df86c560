"""Whether the lines of each writer follow each other, by their chains.

A line is named where it is the first that does not follow: it was changed, added or moved, or lines
before it were removed. What comes behind it is judged again by what it says itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatewaylog.seal.chain import link_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gatewaylog.seal.chain import Link, Mac


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Something that is wrong: in a file, at a line (0: the file itself), up to the line `last`."""

    file: str
    number: int
    text: str
    last: int = 0


@dataclass(slots=True, kw_only=True)
class _Writer:
    """How far a writer's chain was followed: `last` and `seq` of the last line that is right.

    `suspect` is the Chain of a line behind it that is not.
    """

    mac: Mac | None = None
    last: bytes | None = None
    seq: int = 0
    suspect: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What digests tell of writers where a file begins: the Seq of their first line in it, and the
    Chains of their last lines in files before it. `is_known`: there are digests at all.
    """

    firsts: Mapping[str, int] = field(default_factory=dict)
    chains: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    is_known: bool = False


class Linking:
    """Takes lines file by file, oldest first; memory grows with writers and what is wrong."""

    def __init__(self, macs: Iterable[Mac]) -> None:
        self.wrong: list[Wrong] = []
        self.good = 0
        self.untried = 0
        """Lines that nothing tells the Chain before of."""
        self.ends: dict[str, dict[str, int]] = {}
        """Of each file, the last Seq of each writer in it."""
        self._macs = tuple(macs)
        self._writers: dict[str, _Writer] = {}
        self._file = ""
        self._begun = Begun()
        self._was_bare = False

    def file(self, name: str, begun: Begun) -> None:
        """Say which file the next lines stand in."""
        self._file, self._begun, self._was_bare = name, begun, False
        self.ends[name] = {}

    def add(self, raw: bytes, number: int, unread: str = "") -> None:
        """Take the next line, without its line feed; `unread` is why it can't be read."""
        link = None if unread else link_of(raw)
        if link is None:
            if unread:
                self._tell(number, f"torn, changed or added: can't be read: {unread}")
            elif not self._was_bare:
                self._tell(number, "no Chain stands at its end: it was changed or added")
            self._was_bare = True
            return
        self._was_bare = False
        ends = self.ends[self._file]
        if link.writer not in ends:
            self._first_in_file(link, number)
        ends[link.writer] = max(link.seq, ends.get(link.writer, 0))
        self._take(link, number)

    def follows(self, raw: bytes) -> Link | None:
        """Take the next line where it simply follows its writer's last one in this file; else take
        nothing, and return None: that is for `add`.
        """
        link = link_of(raw)
        if link is None:
            return None
        writer, ends = self._writers.get(link.writer), self.ends[self._file]
        if writer is None or writer.mac is None or writer.last is None or link.writer not in ends:
            return None
        if writer.mac.chain(writer.last, link.head) != link.chain:
            return None
        ends[link.writer] = max(link.seq, ends[link.writer])
        self.good += 1
        writer.last, writer.seq, writer.suspect = link.chain, link.seq, None
        self._was_bare = False
        return link

    def _tell(self, number: int, text: str) -> None:
        self.wrong.append(Wrong(file=self._file, number=number, text=text))

    def _first_in_file(self, link: Link, number: int) -> None:
        first = self._begun.firsts.get(link.writer, link.seq)
        if link.seq > first and link.writer not in self._writers:
            self._tell(
                number,
                f"writer {link.writer}: {_numbers(first, link.seq - 1)} removed before this line",
            )

    def _take(self, link: Link, number: int) -> None:
        writer = self._writers.get(link.writer)
        if writer is None:
            writer = self._writers[link.writer] = _Writer()
            befores = [b"", *self._begun.chains.get(link.writer, ())]
        else:
            befores = [before for before in (writer.last, writer.suspect) if before is not None]
        macs = self._macs if writer.mac is None else (writer.mac,)
        for mac in macs:
            if any(mac.chain(before, link.head) == link.chain for before in befores):
                self.good += 1
                writer.mac, writer.last, writer.seq = mac, link.chain, link.seq
                writer.suspect = None
                return
        self._doubt(writer, link, number)

    def _doubt(self, writer: _Writer, link: Link, number: int) -> None:
        is_first = writer.last is None and writer.suspect is None
        if is_first and link.seq > 1 and not self._begun.is_known:
            self.untried += 1
        elif writer.suspect is None:
            self._tell(number, f"writer {link.writer}: {_why(writer, link)}")
        writer.suspect = link.chain

    @property
    def is_any(self) -> bool:
        """Tell whether any line carries a Chain."""
        return bool(self._writers)


def _why(writer: _Writer, link: Link) -> str:
    if writer.last is None:
        return f"Seq {link.seq} was changed, added or moved, or what was before it is removed"
    if link.seq > writer.seq + 1:
        gone = _numbers(writer.seq + 1, link.seq - 1)
        return f"{gone} removed before this line, or this line was changed"
    if link.seq == writer.seq + 1:
        return f"Seq {link.seq} was changed or added"
    return f"Seq {link.seq} was added or moved here, or changed"


def _numbers(first: int, last: int) -> str:
    return f"Seq {first} was" if first == last else f"Seq {first} to {last} were"
