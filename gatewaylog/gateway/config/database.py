"""`[database]`: where issued tokens, and what is told of their use, are kept."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from gatewaylog.gateway.config.values import Table

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
    """`[database]`. The URL may hold a password: `${NAME}` keeps it out of the file."""

    url: Annotated[str, AfterValidator(database_url)] = Field(
        default="sqlite:///gatewaylog.db", validate_default=True, repr=False
    )
