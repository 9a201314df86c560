"""What is wrong with a configuration, and how it is told: one line each.

No line repeats a value: it may be a secret, or hold one that a `${NAME}` stood for.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import ErrorDetails, ValidationError

Place = tuple[int | str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

_WORDS = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "missing": "is missing, and must be given",
    "model_type": "must be a table",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "tuple_type": "must be a list",
    "value_error": "{error}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong: where, and what is wrong and what is allowed there."""

    place: Place
    message: str

    def line(self, file: str) -> str:
        """Return the problem as one line, beginning with the name of the file."""
        where = f"{written(self.place)}: " if self.place else ""
        return _CONTROL.sub(_escaped, f"{file}: {where}{self.message}")


def written(place: Place) -> str:
    """Return a place as people write it: `api[1].backend[0]`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE.fullmatch(part) else f'"{part}"'
            text += f".{key}" if text else key
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """Return what to write instead: the nearest known word, else all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}?"
    return f"known are {', '.join(words)}" if words else "none is known"


def problems_of(error: ValidationError, model: type[BaseModel]) -> Iterator[Problem]:
    """Turn what pydantic found in a table of `model` into our words."""
    for details in error.errors(include_url=False, include_input=False):
        yield Problem(place=details["loc"], message=_message(details, model))


def _message(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind, place = details["type"], details["loc"]
    if kind == "extra_forbidden":
        known = _table(model, place[:-1]).model_fields
        return f"unknown key; {nearest(str(place[-1]), known)}"
    if kind in _WORDS:
        return _WORDS[kind].format(**details.get("ctx", {}))
    return details["msg"]


def _table(model: type[BaseModel], place: Place) -> type[BaseModel]:
    for key in place:
        if isinstance(key, str):
            annotation = model.model_fields[key].annotation
            model = next(filter(_is_model, (annotation, *get_args(annotation))))
    return model


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
