"""The page on credentials: its tables of keys, and its rows of codes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gatewaylog import errors
from gatewaylog.errors import AUTH, THROTTLED, Failure
from gatewaylog.gateway.config import IntrospectionConfig, JwtConfig, ThrottleConfig

PAGE = (Path(__file__).parent.parent.parent / "docs" / "credentials.md").read_text()
_ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| (.*?) \|", re.MULTILINE)


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0].partition("| key |")[2]


@pytest.mark.parametrize(
    ("heading", "model"),
    [("JWTs", JwtConfig), ("Introspection", IntrospectionConfig), ("Throttling", ThrottleConfig)],
)
def test_the_page_has_every_key_with_its_default(heading: str, model: type[JwtConfig]) -> None:
    table = section(heading).partition("\n\n")[0]
    told = {
        name: default
        for names, defaults in _ROW.findall(table)
        for name, default in zip(
            re.findall(r"\w+", names),
            re.findall(r"`(?:[^`]+)`|must be given|[^,`]+", defaults) or [""] * 9,
            strict=False,
        )
    }
    assert set(told) == model.model_fields.keys()
    for name, default in told.items():
        field = model.model_fields[name]
        assert (default == "must be given") == field.is_required(), name
        if default.startswith("`"):
            value = tomllib.loads(f"x = {default.strip('`')}")["x"]
            usual = field.get_default()
            assert (tuple(value) if isinstance(value, list) else value) == usual, name


def test_the_page_has_every_code_with_its_status() -> None:
    rows = set(re.findall(r"\| (9\d{5}) \| (\d{3}) \|", PAGE))
    failures = [one for one in vars(errors).values() if isinstance(one, Failure)]
    assert rows == {(one.code, str(one.status)) for one in failures if one.source == AUTH}
    throttled = re.findall(r"^\| `(\w+)` \| (9008\d\d) \|", PAGE, re.MULTILINE)
    assert {code for _, code in throttled} == {
        one.code for one in failures if one.source == THROTTLED
    }
