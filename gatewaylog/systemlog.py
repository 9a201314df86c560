"""What the software itself has to say, by the standard `logging` under `gatewaylog`.

The lines are those of the log4j patterns on OpenASelect's page "Logging and auditing": on the
console `[time] [LEVEL] logger message`, in the file `[time] LEVEL logger.function() -> message`.
Behind the message stand an error code and the exchange's MessageID, where there are such.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gatewaylog.exchange import running
from gatewaylog.notices import put, tell_by
from gatewaylog.sinks import FileSink
from gatewaylog.sinks.housekeeping import Housekeeper
from gatewaylog.sinks.retention import Retention
from gatewaylog.sinks.rotation import Rotation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from gatewaylog.notices import Notice

ROOT = "gatewaylog"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SQL = "sqlalchemy.engine"
_HIDING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLogOptions:
    """How much is said, and where. `max_size` is bytes; an empty path is none.

    `details` adds thread, class, function, file, line and stack, and with the level DEBUG the SQL.
    """

    level: str = "INFO"
    levels: Mapping[str, str] = field(default_factory=dict)
    console: bool = True
    path: str = ""
    max_size: int = 10_000_000
    backups: int = 5
    details: bool = False


class Lines(logging.Formatter):
    """Makes a line of a record, and with `details` more lines of its stack, each behind a tab."""

    def __init__(self, *, details: bool, for_file: bool = False) -> None:
        super().__init__()
        self._details = details
        self._for_file = for_file

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text; what hides or turns text, or ends a line, is escaped."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        name = record.name.rpartition(".")[2]
        if self._for_file:
            head = f"[{stamp}] {record.levelname:<5} {name}.{record.funcName}() -> "
        else:
            head = f"[{stamp}] [{record.levelname}] {name} "
        text = head + _escaped(record.getMessage()) + _behind(record)
        if not self._details:
            return text
        where = f" ({record.threadName} {record.module}.{_method(record)}, "
        text += _escaped(f"{where}{record.pathname}:{record.lineno})")
        return text + "".join(f"\n\t{_escaped(line)}" for line in self._stack(record))

    def _stack(self, record: logging.LogRecord) -> list[str]:
        text = ""
        if record.exc_info and record.exc_info[0] is not None:
            text = self.formatException(record.exc_info)
        if record.stack_info:
            text += f"\n{record.stack_info}"
        return [line for line in text.split("\n") if line]


def _method(record: logging.LogRecord) -> str:
    """Return the function that logs, with its class; it is still running, but for a record that
    was made elsewhere.
    """
    frame = sys._getframe()  # noqa: SLF001
    while frame.f_back is not None:
        frame = frame.f_back
        code = frame.f_code
        if (code.co_filename, frame.f_lineno) == (record.pathname, record.lineno):
            return code.co_qualname
    return record.funcName or "?"


def _escaped(text: str) -> str:
    return _HIDING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _behind(record: logging.LogRecord) -> str:
    """Return the error code and the session of a record, as far as there are such."""
    code = getattr(record, "code", None)
    exchange = running.get()
    session = getattr(record, "session", None) or (exchange and exchange.message_id)
    told = f" (0x{int(code):04x})" if code else ""
    return f"{told} [{_escaped(str(session))}]" if session else told


class _Console(logging.Handler):
    """Writes to standard error, whatever that is just then."""

    def emit(self, record: logging.LogRecord) -> None:
        put(sys.stderr, self.format(record))


class _File(logging.Handler):
    """Appends to a file that several processes share, each record in one write."""

    def __init__(self, sink: FileSink) -> None:
        super().__init__()
        self._sink = sink
        self._failed = ""

    def emit(self, record: logging.LogRecord) -> None:
        reason = self._sink.write(self.format(record).encode("utf-8", "backslashreplace") + b"\n")
        if reason and reason != self._failed:
            put(sys.stderr, f"gatewaylog: can't write {self._sink.name}: {reason}")
        self._failed = reason or ""

    def look(self) -> None:
        """See whether the file was rotated."""
        self._sink.look()

    def pruned(self, names: Sequence[str]) -> None:
        """Take note of nothing: a record of what went would fill this very file."""

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._sink.close()


class SystemLog:
    """The system log of this process: what is logged under `gatewaylog`, and every notice.

    Raises LogError for a file that can't be opened.
    """

    def __init__(self, options: SystemLogOptions) -> None:
        self._handlers: list[logging.Handler] = []
        self._loggers: list[logging.Logger] = []
        self._file: _File | None = None
        self._sink: FileSink | None = None
        self._housekeeper: Housekeeper | None = None
        self._backups = options.backups
        if options.path:
            self._open(options)
        if options.console:
            self._add(_Console(), Lines(details=options.details))
        self._listen(options)
        tell_by(_told)

    def _open(self, options: SystemLogOptions) -> None:
        self._sink = FileSink(options.path, rotation=Rotation(max_size=options.max_size))
        self._file = _File(self._sink)
        self._add(self._file, Lines(details=options.details, for_file=True))

    def _add(self, handler: logging.Handler, lines: Lines) -> None:
        handler.setFormatter(lines)
        self._handlers.append(handler)

    def _listen(self, options: SystemLogOptions) -> None:
        levels = {ROOT: options.level, **options.levels}
        if options.details and options.level == "DEBUG":
            levels[_SQL] = "INFO"  # at which SQLAlchemy tells its SQL
        for name, level in levels.items():
            logger = logging.getLogger(name)
            logger.setLevel(level)
            self._loggers.append(logger)
            if name in {ROOT, _SQL}:
                logger.propagate = False
                for handler in self._handlers:
                    logger.addHandler(handler)

    def keep_house(self) -> None:
        """Delete files that were rotated, but the newest few, by a thread: not before a fork."""
        if self._file is not None and self._sink is not None and self._housekeeper is None:
            retention = Retention(backups=self._backups)
            self._housekeeper = Housekeeper(self._file, self._sink, retention)

    def close(self) -> None:
        """Let go of the loggers and the file; notices go to standard error again."""
        tell_by(None)
        if self._housekeeper is not None:
            self._housekeeper.stop()
        for logger in self._loggers:
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
            for handler in self._handlers:
                logger.removeHandler(handler)
        for handler in self._handlers:
            handler.close()


# Between who says a thing and the system log lies `notice`.
_WITHIN = 2


def _told(told: Notice) -> None:
    """Log a notice as its caller's own: by that module's logger, with its function and line."""
    level = logging.getLevelNamesMapping()[told.level]
    logger = logging.getLogger(_room(sys._getframe(_WITHIN + told.above)))  # noqa: SLF001
    logger.log(
        level,
        "%s",
        told.text,
        exc_info=told.error,
        extra={"code": told.code},
        stacklevel=_WITHIN + 1 + told.above,
    )


def _room(frame: FrameType) -> str:
    """Return the name of the module whose code runs; of code that is not ours, our first logger."""
    name = str(frame.f_globals.get("__name__"))
    if name == "__main__":
        name = str(frame.f_globals.get("__package__"))
    return name if name.startswith(f"{ROOT}.") else ROOT
