"""`[[throttle]]`: how many calls who may make."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from gatewaylog.auth.throttle import Limit
from gatewaylog.gateway.config.apis import resource_path
from gatewaylog.gateway.config.values import Table, load

_RATE = re.compile(r"[1-9][0-9]{0,8}/(?:second|minute|hour|day)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_STORES = ("redis://", "rediss://", "unix://")
# The names that may choose what a limit is about.
_CHOSEN = {
    "api": ("api",),
    "resource": ("api", "resource"),
    "application": ("application",),
    "subscription": ("api", "application"),
}


def rate(value: str) -> str:
    """Accept so many calls in a time."""
    if not _RATE.fullmatch(value):
        raise ValueError('must be a rate like "100/minute": per second, minute, hour or day')
    return value


def optional_path(value: str) -> str:
    """Accept a resource's path; empty is none."""
    return resource_path(value) if value else value


def store(value: str) -> str:
    """Accept the URL of a Redis; empty is none."""
    if value and not value.startswith(_STORES):
        raise ValueError('must be a URL like "redis://host:6379/0"')
    if value:
        load("auth", "redis", "gatewaylog.auth.redis_counts")
    return value


Rate = Annotated[str, AfterValidator(rate)]
OptionalPath = Annotated[str, AfterValidator(optional_path)]
Store = Annotated[str, AfterValidator(store)]


class ThrottleConfig(Table):
    """`[[throttle]]`. Names choose one API, resource or application; without, each has its own
    count. No `burst`: as many at once as the rate has calls.
    """

    per: Literal["api", "resource", "application", "subscription"]
    rate: Rate
    burst: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    api: str = ""
    resource: OptionalPath = ""
    application: str = ""
    store: Store = Field(default="", repr=False)

    @field_validator("api", "resource", "application")
    @classmethod
    def _is_chosen_by(cls, value: str, info: ValidationInfo) -> str:
        per = info.data.get("per")
        if value and per is not None and info.field_name not in _CHOSEN[per]:
            raise ValueError(f"chooses nothing of a limit per {per}")
        if value and info.field_name == "resource" and info.data.get("api") == "":
            raise ValueError("needs api: the label of the resource's API")
        return value

    def limit(self) -> Limit:
        """Return what calls are counted by."""
        calls, _, time = self.rate.partition("/")
        amount = int(calls)
        return Limit(
            per=self.per,
            amount=amount,
            seconds=_SECONDS[time],
            burst=self.burst or amount,
            api=self.api,
            resource=self.resource,
            application=self.application,
            store=self.store,
        )
