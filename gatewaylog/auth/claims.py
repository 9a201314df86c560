"""What tokens and introspection answers say (RFC 7519 §4, RFC 7662 §2.2), whatever its types."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Claims = dict[str, Any]
FOREVER = 1e12  # seconds since the epoch: no later time is told apart


def seconds(value: object) -> float | None:
    """Return a NumericDate (RFC 7519 §2), None where it is none, as a number without an end."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(max(-FOREVER, min(value, FOREVER)))


def claims_of(text: bytes | str) -> Any:
    """Read JSON in which each name stands once and each number is finite: of two values of one
    name, two programs take different ones (RFC 7519 §4). Raises ValueError, RecursionError.
    """
    return json.loads(
        text, object_pairs_hook=_of_pairs, parse_constant=_no_number, parse_float=_finite
    )


def _of_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice")
    return values


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def first_text(claims: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first of these claims that is a text which is not empty."""
    return next(iter(_texts(claims.get(name) for name in names)), None)


def is_for(claims: Mapping[str, Any], audiences: frozenset[str]) -> bool:
    """Say whether a token is for one of these audiences."""
    audience = claims.get("aud")
    return not audiences.isdisjoint(_texts(audience if isinstance(audience, list) else [audience]))


def scopes_of(claims: Mapping[str, Any], names: Iterable[str]) -> frozenset[str]:
    """Return the scopes of all these claims: texts of several, or lists."""
    found: set[str] = set()
    for value in map(claims.get, names):
        if isinstance(value, str):
            found.update(value.split(" "))
        elif isinstance(value, list):
            found.update(_texts(value))
    return frozenset(found - {""})


def _texts(values: Iterable[object]) -> list[str]:
    return [value for value in values if isinstance(value, str) and value]
