"""Reads Grafana Alloy's configuration as far as what is shipped goes.

Written from https://grafana.com/docs/alloy/latest/get-started/configuration-syntax/, as Alloy
installs from no package registry: blocks with labels, attributes, strings, raw strings between
backticks, lists, objects, and references to what other blocks export.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"(?P<space>[ \t]+|//[^\n]*)|(?P<end>\n)|(?P<raw>`[^`]*`)"
    r'|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<name>[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)'
    r"|(?P<mark>[{}\[\]=,])"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that another component exports."""

    path: str


Value: TypeAlias = "str | Reference | list[Value] | dict[str, Value]"


@dataclass(slots=True)
class Block:
    """A block: its name, its label, its attributes and the blocks in it, in their order."""

    name: str
    label: str = ""
    attributes: dict[str, Value] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    @property
    def path(self) -> str:
        """What other blocks call it by."""
        return f"{self.name}.{self.label}" if self.label else self.name


def parse(text: str) -> Block:
    """Return the file as a block. Raises ValueError where it is none of Alloy's."""
    reader = _Reader(text)
    try:
        file = reader.body(Block("file"), "")
    except IndexError:
        raise ValueError("the text ends too early") from None
    return file


class _Reader:
    """Reads a text once."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found or not found.lastgroup:
                raise ValueError(f"line {text.count(chr(10), 0, at) + 1}: {text[at : at + 20]!r}")
            if found.lastgroup != "space":
                self._tokens.append((found.lastgroup, found[0]))
            at = found.end()
        self._tokens.append(("close", ""))

    def body(self, block: Block, close: str = "}") -> Block:
        """Read what stands in a block up to its end, or in a file."""
        while True:
            kind, text = self._tokens.pop(0)
            if text == close:
                return block
            if kind == "end":
                continue
            if kind != "name":
                raise ValueError(f"a name is due, not {text!r}")
            self._entry(block, text)

    def _entry(self, block: Block, name: str) -> None:
        kind, text = self._tokens.pop(0)
        if text == "=":
            block.attributes[name] = self._value()
        else:
            label = ""
            if kind == "text":
                label = text[1:-1]
                kind, text = self._tokens.pop(0)
            if text != "{":
                raise ValueError(f"{name}: a block is due, not {text!r}")
            block.blocks.append(self.body(Block(name, label)))
        if self._tokens[0][1] not in {"\n", "}", ""}:
            raise ValueError(f"{name}: a line's end is due, not {self._tokens[0][1]!r}")

    def _value(self) -> Value:
        kind, text = self._tokens.pop(0)
        if kind in {"raw", "text"}:
            return text[1:-1]
        if kind == "name":
            return Reference(text)
        if text == "[":
            return [self._value() for _ in self._until("]")]
        if text == "{":
            return dict(self._pair() for _ in self._until("}"))
        raise ValueError(f"a value is due, not {text!r}")

    def _pair(self) -> tuple[str, Value]:
        (_, name), (_, equals) = self._tokens.pop(0), self._tokens.pop(0)
        if equals != "=":
            raise ValueError(f"{name}: = is due, not {equals!r}")
        return name, self._value()

    def _until(self, close: str) -> Iterator[None]:
        """Yield once for each value before `close`; values stand between commas."""
        while self._tokens[0][1] != close:
            yield
            if self._tokens[0][1] == ",":
                self._tokens.pop(0)
            elif self._tokens[0][1] != close:
                raise ValueError(f"{close} is due, not {self._tokens[0][1]!r}")
        self._tokens.pop(0)
