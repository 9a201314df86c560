"""What was told of findings, in a file: who begins again tells none of them twice."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.hours_read import HoursRead
from gatewaylog.audit.rules.known import Known
from gatewaylog.audit.rules.records import Severity

if TYPE_CHECKING:
    from typing import Self

    from gatewaylog.audit.rules.records import Finding

_VERSION = 2
_MOST = 10_000  # findings that are kept, the last ones
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Told:
    """Remembers which findings were told, and what the rules were shown.

    `until` is the moment up to which they were shown that time goes by, None where no process has
    told anything; `waiting` are findings that somebody has still to take, as JSON.

    Raises ValueError for a file that is none of these, BlockingIOError where another process has
    it, OSError where it can't be kept.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()
        self._lock = os.open(
            self._path.with_name(f"{self._path.name}.lock"),
            os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
        )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._take(_read(self._path))
        except BaseException:
            os.close(self._lock)
            raise
        self._saved = self._text()

    def _take(self, kept: dict[str, object] | None) -> None:
        kept = kept or {"until": None, "hours": [], "told": [], "waiting": []}
        try:
            until = kept["until"]
            self.until = None if until is None else float(until)  # type: ignore[arg-type]
            self.waiting: list[dict[str, object]] = [dict(one) for one in kept["waiting"]]  # type: ignore[attr-defined]
            self._known = Known(
                (str(rule), str(client), float(at), Severity(severity))
                for rule, client, at, severity in kept["told"]  # type: ignore[attr-defined]
            )
            self._hours = {int(hour): int(rows) for hour, rows in kept["hours"]}  # type: ignore[attr-defined]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ValueError("is not what tokens watch keeps there") from None
        self._read, self._shown = HoursRead(self._hours), self.until or 0.0

    @property
    def is_any(self) -> bool:
        """Whether a process has told findings, or was through with what it had read."""
        return self.until is not None

    def take(self, at: float) -> None:
        """Take note that the rules were shown a row of that moment."""
        self._read.take(at)

    @property
    def open_since(self) -> float:
        """From when on a finding may be new: rows were not read then, or the time had not gone by,
        when the process before ended. To be asked when all was read.
        """
        return min(math.nextafter(self._shown, math.inf), self._read.new_since)

    def is_new(self, finding: Finding) -> bool:
        """Tell whether a finding is still to be told."""
        return finding not in self._known

    def add(self, finding: Finding) -> None:
        """Take note that a finding was told."""
        self._known.add(finding)
        self.until = self.until or 0.0

    def pass_over(self, finding: Finding) -> None:
        """Take note that a finding needs not to be told."""
        self._known.add(finding)

    def save(self, until: float | None = None) -> None:
        """Keep what was told; with `until` also that all is told of the rows that were taken, and
        of the time until then: else who is killed while telling would leave the rest untold.

        Raises OSError.
        """
        if until is not None:
            self.until = max(self.until or 0.0, until)
            self._hours = self._read.kept()
        text = self._text()
        if text == self._saved:
            return
        fresh = self._path.with_name(f"{self._path.name}.new")
        with os.fdopen(os.open(fresh, _FLAGS, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        self._saved = text

    def _text(self) -> str:
        told = sorted(self._known, key=lambda one: one[2])[-_MOST:]
        kept = {
            "version": _VERSION,
            "until": self.until,
            "hours": list(self._hours.items()),
            "told": told,
            "waiting": self.waiting,
        }
        return json.dumps(kept) + "\n"

    def close(self) -> None:
        """Let others have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(path: Path) -> dict[str, object] | None:
    """Return what the file holds, None where there is none. Raises ValueError, OSError."""
    with contextlib.suppress(FileNotFoundError):
        try:
            kept = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            kept = None
        if not isinstance(kept, dict) or kept.get("version") != _VERSION:
            raise ValueError("is not what tokens watch keeps there")
        return kept
    return None
