"""What a `status` tells: a line each for people, one object for programs."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog.cli.output import Screen
from gatewaylog.cli.output.cells import local
from gatewaylog.cli.terminal import painted, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gatewaylog.search.values import Record, Value


class Fact(NamedTuple):
    """One of them: `told` to people, nothing where that is empty; `value` to programs, None for
    null, under `name` or its other `key`.
    """

    name: str
    told: str
    value: Value | None
    key: str = ""


def moment(name: str, at: datetime | None) -> Fact:
    """Return a moment: local time for people, UTC for programs."""
    if at is None:
        return Fact(name, "none", None)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Fact(name, local(at.timestamp()), at.astimezone(UTC).isoformat())


def show(facts: Sequence[Fact], output: str) -> None:
    """Print them in one of TABLES."""
    from gatewaylog.cli.output import show as show_result
    from gatewaylog.search import Result

    screen = Screen.of_output()
    if output == "table" or (output == "auto" and screen.terminal):
        _tell([fact for fact in facts if fact.told], screen)
        return
    record: Record = {
        fact.key or fact.name: fact.value for fact in facts if fact.value not in {None, ""}
    }
    columns = tuple(fact.key or fact.name for fact in facts)
    show_result(Result(columns, iter([record]), "table"), output, verb="tokens", screen=screen)


def _tell(facts: Sequence[Fact], screen: Screen) -> None:
    names = [fact.name.replace("_", " ") for fact in facts]
    width = max(map(len, names))
    for name, fact in zip(names, facts, strict=True):
        head = painted(name, "bold" if screen.colour else None)
        print(f"{head}{'':{width - len(name)}}  {printable(fact.told)}")
