"""The system log of the gateway's processes, as `[system_log]` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.systemlog import SystemLog, SystemLogOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewaylog.gateway.config import Config
    from gatewaylog.gateway.config.records import SystemLogConfig


class _Speaking:
    """What this process speaks by; there is one in a process, as there is one tree of loggers."""

    log: SystemLog | None = None
    table: SystemLogConfig | None = None
    keeps_house = False


def by(table: SystemLogConfig) -> None:
    """Speak as the table says from now on. Raises LogError, and changes nothing then."""
    if table == _Speaking.table:
        return
    before, options = _Speaking.log, SystemLogOptions(**table.model_dump())
    if before is not None:
        before.close()
    _Speaking.log, _Speaking.table = SystemLog(options), table
    if _Speaking.keeps_house:
        _Speaking.log.keep_house()


def by_each(load: Callable[[], Config]) -> Callable[[], Config]:
    """Return a `load` after which the process speaks as what was loaded says."""

    def loaded() -> Config:
        config = load()
        by(config.system_log)
        return config

    return loaded


def keep_house() -> None:
    """Keep the system log's old files, in a process that forks no more."""
    _Speaking.keeps_house = True
    if _Speaking.log is not None:
        _Speaking.log.keep_house()


def end() -> None:
    """Speak on standard error again."""
    if _Speaking.log is not None:
        _Speaking.log.close()
    _Speaking.log = _Speaking.table = None
    _Speaking.keeps_house = False
