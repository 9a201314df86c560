"""Configurations as texts, and what is said of them."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ConfigurationError
from gatewaylog.gateway.config import Config, parse

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(text: str, environ: Mapping[str, str] | None = None) -> Config:
    return parse(tomllib.loads(text), file="gateway.toml", environ=environ or {})


def problems(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text, environ)
    lines = caught.value.problems
    assert all(line.startswith("gateway.toml: ") for line in lines)
    assert all(len(line.splitlines()) == 1 for line in lines)
    return [line.removeprefix("gateway.toml: ") for line in lines]


def problem(text: str, environ: Mapping[str, str] | None = None) -> str:
    lines = problems(text, environ)
    assert len(lines) == 1, lines
    return lines[0]


def api(extra: str = "", **values: str) -> str:
    """One [[api]] in TOML; values are TOML, and replace the usual ones."""
    keys = {"name": '"Echo"', "context": '"/echo"', "backend": '"http://b"'} | values
    return "[[api]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + extra
