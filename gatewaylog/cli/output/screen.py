"""What standard output is: a terminal or not, how wide, and whether in colours."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

from gatewaylog.cli.terminal import wants_colour

_NARROWEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where results are shown. `width` is in columns; what is no terminal has no bound."""

    terminal: bool
    colour: bool = False
    width: int = 100
    encoding: str = "utf-8"

    @classmethod
    def of_output(cls) -> Screen:
        """Return what standard output is."""
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else 100
        if not terminal and os.environ.get("COLUMNS", "").isdecimal():
            width = int(os.environ["COLUMNS"])
        return cls(
            terminal=terminal,
            colour=wants_colour(),
            width=max(_NARROWEST, width),
            encoding=sys.stdout.encoding or "ascii",
        )

    @property
    def longest(self) -> int:
        """How many columns a text of a line may take: a terminal's width; 0: there is no bound."""
        return self.width if self.terminal else 0

    def knows(self, text: str) -> bool:
        """Tell whether these characters can be shown."""
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True
