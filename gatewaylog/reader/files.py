"""Which files are read, and in which order: files, folders, globs, standard input."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.exceptions import ReaderError
from gatewaylog.reader.names import name_of
from gatewaylog.reader.sources import STANDARD_INPUT, Source, asking, siblings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

_TRIES = 5  # looks through folders in which files are renamed meanwhile


def find(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    rotated: bool = False,
    on_refused: Callable[[ReaderError], object] | None = None,
    on_damage: Callable[[Source], object] | None = None,
) -> list[Source]:
    """Return what `paths` name, oldest first by the time of the first line, each file once.

    A path is a file, a folder (those files in it that are logs by their names: `*.log` and the
    like, rotated and compressed ones too; not the folders in it), a glob (`**` goes into folders),
    or `-`. With `rotated` a log's name brings those with it that were rotated from it; a rotated
    file's is that file alone. `on_damage` is given each whose compressed data is found to break
    off, when that is read.

    Raises ReaderError where a path names nothing, or something can't be read. `on_refused` is given
    such errors instead, but for the first where there is nothing else to be read.
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    given = [os.fspath(path) for path in several]
    for left in reversed(range(_TRIES)):
        names, refused = _names(given, rotated=rotated)
        try:
            sources = _sources(names, refused)
        except ReaderError as error:
            sources, refused = [], [error]
        if not (refused and left and _is_any_gone(names, given)):
            break
    if refused and (on_refused is None or not sources):
        _tell(refused[1:], on_refused)
        raise refused[0]
    _tell(refused, on_refused)
    for source in sources:
        source.on_damage = on_damage
    return sources


def _tell(
    refused: Iterable[ReaderError], on_refused: Callable[[ReaderError], object] | None
) -> None:
    if on_refused is not None:
        for error in refused:
            on_refused(error)


def _is_any_gone(names: Iterable[str], given: Iterable[str]) -> bool:
    """Tell whether a file that was found has another name now, so that a new look finds it."""
    return any(name not in given and not os.path.lexists(name) for name in names)


def _names(paths: Iterable[str], *, rotated: bool) -> tuple[list[str], list[ReaderError]]:
    """Return what the paths name, and why some name nothing."""
    names: dict[str, None] = {}
    refused = []
    for path in paths:
        try:
            names |= dict.fromkeys(_named(path, rotated=rotated))
        except ReaderError as error:
            refused.append(error)
    return list(names), refused


def _sources(names: Collection[str], refused: list[ReaderError]) -> list[Source]:
    """Open what can be, oldest first; why others can't be is put into `refused`."""
    found = []
    for name in names:
        try:
            source = Source(name)
            if len(names) > 1:
                _begin(source)  # is read for it, so that what can't be read is known
            found.append(source)
        except ReaderError as error:
            refused.append(error)
    sources = _each_once(found)
    return sorted(sources, key=_begin) if len(sources) > 1 else sources


def live_logs(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
) -> list[str]:
    """Return the files that `paths` name, whether they are there or not, of a folder and a glob
    those that are written to.
    """
    names = []
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        found = list(_named(os.fspath(path), rotated=False))
        several = found != [os.fspath(path)]
        names += [name for name in found if not several or name_of(Path(name).name).is_live]
    return list(dict.fromkeys(names))


def _named(path: str, *, rotated: bool) -> Iterator[str]:
    if path == STANDARD_INPUT:
        yield path
    elif Path(path).is_dir():
        yield from _logs_in(path)
    elif glob.has_magic(path) and not Path(path).exists():
        found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - takes absolute ones too
        if not found:
            raise ReaderError(f"{path}: no such file")
        yield from (name for name in found if not Path(name).is_dir())
    else:
        name = name_of(Path(path).name)
        beside = rotated and name.is_live and not name.packed and Path(path).parent.is_dir()
        yield from map(str, siblings(Path(path)) if beside else ())
        yield path


def _logs_in(folder: str) -> list[str]:
    with asking(folder):
        files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    if logs := [str(path) for path in files if name_of(path.name).is_log]:
        return logs
    raise ReaderError(f"{folder}: holds no log (*.log, *.ndjson, *.jsonl, *.logfmt)")


def _each_once(sources: Iterable[Source]) -> list[Source]:
    """Drop what is the same file under another name, or the packed copy of one that is there."""
    kept = {source.identity or source.name: source for source in reversed(list(sources))}
    plain = {str(source.path): source for source in kept.values()}
    return [source for source in reversed(kept.values()) if not _is_copy(source, plain)]


def _is_copy(source: Source, plain: dict[str, Source]) -> bool:
    """Tell whether a file was found while it was being packed: what it is made from is there."""
    packed = name_of(source.path.name).packed
    original = plain.get(str(source.path).removesuffix(packed)) if packed else None
    return original is not None and _first_line(original) == _first_line(source)


def _first_line(source: Source) -> bytes:
    return next(source.pieces(), b"").partition(b"\n")[0]


def _begin(source: Source) -> tuple[float, str, tuple[tuple[int, int | str], ...]]:
    name = name_of(source.path.name)
    return source.since, str(source.path.with_name(name.family)), name.place
