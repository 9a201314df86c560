"""`${NAME}` in the texts of the configuration: the environment's value; `$${` is a literal `${`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatewaylog.gateway.config.problems import Place, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


class Expansion:
    """Replaces the references of one file, and keeps what could not be replaced.

    Values are not expanded again. A text with a problem becomes None, arrays become tuples, so
    that the configuration made of them is immutable.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[Problem] = []

    def expanded(self, value: object, place: Place = ()) -> object:
        """Return the value, or all values in the table or list, with their references replaced."""
        if isinstance(value, str):
            return self._text(value, place) if "${" in value else value
        if isinstance(value, dict):
            return {key: self.expanded(item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return tuple(self.expanded(item, (*place, at)) for at, item in enumerate(value))
        return value

    def _text(self, text: str, place: Place) -> str | None:
        wrong = list(dict.fromkeys(self._wrong(text)))
        if wrong:
            self.problems += [Problem(place=place, message=message) for message in wrong]
            return None
        return _REFERENCE.sub(self._value, text)

    def _wrong(self, text: str) -> Iterator[str]:
        for match in _REFERENCE.finditer(text):
            if match[0] == "${":
                yield "has a ${ that names no variable: write ${NAME}, or $${ for a literal ${"
            elif match[1] and match[1] not in self._environ:
                yield f"the environment variable {match[1]} is not set"

    def _value(self, match: re.Match[str]) -> str:
        return self._environ[match[1]] if match[1] else "${"
