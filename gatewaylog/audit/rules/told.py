"""What was told of findings, in a file: who begins again tells none of them twice."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.audit.rules.records import Severity
from gatewaylog.audit.rules.rule import DAY

if TYPE_CHECKING:
    from typing import Self

    from gatewaylog.audit.rules.records import Finding

_VERSION = 1
_LATE = 60.0  # seconds that a line may be behind its time
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Told:
    """Remembers which findings were told, and up to which moment was looked.

    A finding counts as told where one of its rule and client was told within 24 hours, and it is
    not more severe. `waiting` are those that somebody has still to take, as JSON.

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
        self._saved = self._text() if self.is_any else ""
        self._since = self.until - _LATE  # of the process before: what comes late now is told

    def _take(self, kept: dict[str, object] | None) -> None:
        self.is_any = kept is not None
        kept = kept or {"until": 0.0, "told": [], "waiting": []}
        try:
            self.until = float(kept["until"])  # type: ignore[arg-type]
            self.waiting: list[dict[str, object]] = [dict(one) for one in kept["waiting"]]  # type: ignore[attr-defined]
            self._told = {
                (str(rule), str(client)): (float(at), Severity(severity))
                for rule, client, at, severity in kept["told"]  # type: ignore[attr-defined]
            }
        except (KeyError, TypeError, ValueError):
            raise ValueError("is not what tokens watch keeps there") from None

    def is_new(self, finding: Finding) -> bool:
        """Tell whether a finding is still to be told."""
        if finding.at < self._since:
            return False
        at, severity = self._told.get((finding.rule, finding.client), (-DAY, Severity.LOW))
        return abs(finding.at - at) >= DAY or finding.severity > severity

    def add(self, finding: Finding) -> None:
        """Take note that a finding was told."""
        self._told[finding.rule, finding.client] = finding.at, finding.severity

    def save(self, until: float) -> None:
        """Keep all of it; everything until that moment was looked at. Raises OSError."""
        self.is_any = True
        self.until = max(self.until, until)
        oldest = self.until - 2 * DAY
        self._told = {key: one for key, one in self._told.items() if one[0] >= oldest}
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
        told = [[*key, at, int(severity)] for key, (at, severity) in self._told.items()]
        kept = {
            "version": _VERSION,
            "until": self.until,
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
