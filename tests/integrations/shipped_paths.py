"""What is shipped, as it stands but for its paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integrations.tools import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping


def moved(path: str, paths: Mapping[str, object]) -> str:
    """Return a shipped file's text, each path replaced. AssertionError where one is not in it."""
    text = (SHIPPED / path).read_text()
    for old, new in paths.items():
        assert old in text, f"{old} is not in {path}"
        text = text.replace(old, str(new))
    return text
