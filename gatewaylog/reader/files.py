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
    from collections.abc import Iterable, Iterator

_TRIES = 5  # looks through folders in which files are renamed meanwhile


def find(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str], *, rotated: bool = False
) -> list[Source]:
    """Return what `paths` name, oldest first by the time of the first line, each file once.

    A path is a file, a folder (those files in it that are logs by their names: `*.log` and the
    like, rotated and compressed ones too; not the folders in it), a glob (`**` goes into folders),
    or `-`. With `rotated` a file brings those with it that were rotated from it.

    Raises ReaderError where a path names nothing, or something can't be read.
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    given = [os.fspath(path) for path in several]
    for _ in range(_TRIES - 1):
        names = _names(given, rotated=rotated)
        try:
            return _sources(names)
        except ReaderError:
            if all(name in given or os.path.lexists(name) for name in names):
                raise
    return _sources(_names(given, rotated=rotated))


def _names(paths: Iterable[str], *, rotated: bool) -> list[str]:
    names = (name for path in paths for name in _named(path, rotated=rotated))
    return list(dict.fromkeys(names))


def _sources(names: Iterable[str]) -> list[Source]:
    sources = _each_once(map(Source, names))
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
        yield from map(str, siblings(Path(path)) if rotated else ())
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
