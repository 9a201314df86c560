"""`[event_log]` and `[system_log]`: what is kept besides the access log."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from gatewaylog.audit.rules import RULES, limits_of
from gatewaylog.gateway.config.values import (
    OptionalSize,
    Size,
    Table,
    Text,
    optional_duration,
    packable,
)

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def hook(value: str) -> str:
    """Accept the URL of a webhook; empty is none."""
    if value and not value.startswith(("http://", "https://")):
        raise ValueError('must be a URL like "https://alerts.example.org/hook"')
    return value


class EventLogConfig(Table):
    """`[event_log]`: where it is recorded who did what. An empty path is none; `-` is standard
    output.
    """

    path: str = ""
    format: Literal["line", "json"] = "line"
    max_size: OptionalSize = 0
    rotate: Literal["", "hourly", "daily", "weekly", "monthly"] = ""
    backups: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    keep: Annotated[str, AfterValidator(optional_duration)] = ""
    compress: Annotated[Literal["", "gz", "zst"], AfterValidator(packable)] = ""
    durability: Literal["kernel", "disk"] = "kernel"

    @field_validator("max_size", "rotate", "backups", "keep", "compress")
    @classmethod
    def _is_of_a_file(cls, value: int | str, info: ValidationInfo) -> int | str:
        if value and info.data.get("path") in {"", "-"}:
            raise ValueError("needs an event log that is a file: give path")
        return value

    @field_validator("durability")
    @classmethod
    def _has_a_disk(cls, value: str, info: ValidationInfo) -> str:
        if value == "disk" and info.data.get("path") in {"", "-"}:
            raise ValueError('must be "kernel" where the event log is no file')
        return value


class SystemLogConfig(Table):
    """`[system_log]`: what the software itself has to say. `max_size` is bytes; an empty path is
    none. `levels` are those of loggers under `gatewaylog`, by their names.
    """

    level: Level = "INFO"
    levels: dict[Text, Level] = {}  # noqa: RUF012 - pydantic copies it
    console: bool = True
    path: str = ""
    max_size: Size = 10_000_000
    backups: Annotated[int, Field(ge=0, le=1000)] = 5
    details: bool = False

    @field_validator("levels")
    @classmethod
    def _are_our_loggers(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name != "gatewaylog" and not name.startswith("gatewaylog."):
                raise ValueError("must be names of loggers such as gatewaylog.gateway")
        return value


class RulesConfig(Table):
    """`[rules]`: which of the rules R01 to R14 are left out, and when the others fire:
    `[rules.thresholds.R04]` has thresholds of that rule by their names.

    The others are those of `gatewaylog tokens watch`: where findings are posted, the file that
    tells where addresses are, and the one in which is kept what was told. Empty is none, and for
    `state` the usual one.
    """

    disabled: tuple[str, ...] = ()
    webhook: Annotated[str, AfterValidator(hook)] = Field(default="", repr=False)
    geoip: str = ""
    state: str = ""
    thresholds: dict[str, dict[str, float]] = {}  # noqa: RUF012 - pydantic copies it

    @field_validator("disabled")
    @classmethod
    def _are_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not RULES.keys() >= set(value):
            raise ValueError(f"must be among {', '.join(RULES)}")
        return value

    @field_validator("thresholds", mode="before")
    @classmethod
    def _are_known(cls, value: object) -> object:
        for rule, thresholds in value.items() if isinstance(value, dict) else ():
            if rule not in RULES:
                raise ValueError(f"must be tables of {', '.join(RULES)}")
            if not isinstance(thresholds, dict) or not all(map(_is_number, thresholds.values())):
                raise ValueError(f"{rule}: must be a table of numbers")
            try:
                limits_of(rule, thresholds)
            except ValueError as error:
                raise ValueError(f"{rule}.{error}") from None
        return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
