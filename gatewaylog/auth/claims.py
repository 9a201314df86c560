"""What tokens and introspection answers say (RFC 7519 §4, RFC 7662 §2.2), whatever its types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Claims = dict[str, Any]
FOREVER = 1e12  # seconds since the epoch: no later time is told apart


def seconds(value: object) -> float | None:
    """Return a NumericDate (RFC 7519 §2), None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(max(-FOREVER, min(value, FOREVER)))


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
