"""`[database]`: where issued tokens, and what is told of their use, are kept."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from gatewaylog.gateway.config.values import Table, load

Connections = Annotated[int, Field(ge=0, le=1000)]
OrAll = Annotated[int, Field(ge=-1, le=1_000_000_000)]

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgresql+psycopg://")
FOLDER = "folder"  # of the validation's context: where the configuration lies


def database_url(value: str, info: ValidationInfo) -> str:
    """Return the URL, a relative path of SQLite's file beside the configuration."""
    path = value.removeprefix(_SQLITE)
    if path != value and path:
        folder = Path((info.context or {}).get(FOLDER, ".")).absolute()
        return f"{_SQLITE}{folder / path}"
    if not value.startswith(_POSTGRESQL):
        raise ValueError('must be a URL like "sqlite:///gatewaylog.db" or "postgresql://host/name"')
    return value


class DatabaseConfig(Table):
    """`[database]`. The URL may hold a password: `${NAME}` keeps it out of the file.

    The pool's keys are OpenASelect's, of each worker: connections at most (0: no limit), of which
    so many are kept when idle (-1: all), so many made at once; `max_wait` is milliseconds (-1: for
    ever).
    """

    url: Annotated[str, AfterValidator(database_url)] = Field(
        default="sqlite:///gatewaylog.db", validate_default=True, repr=False
    )
    max_active: Connections = 10
    max_idle: OrAll = 10
    min_idle: Connections = 0
    initial_size: Connections = 0
    max_wait: OrAll = 10_000
    applications: bool = False

    @field_validator("min_idle", "initial_size")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_active")
        if most and value > most:
            raise ValueError(f"must be at most max_active, which is {most}")
        return value

    @field_validator("applications")
    @classmethod
    def _can_be_asked(cls, value: bool) -> bool:
        if value:
            load("auth", "sqlalchemy", "gatewaylog.audit.application_store")
        return value
