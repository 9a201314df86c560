"""The page on shipping: its commands and its TOML are what gatewaylog takes, and it is complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from gatewaylog.cli.verbs import called
from gatewaylog.gateway.config.shipping import ShipConfig
from gatewaylog.ship.destination import Limits
from gatewaylog.ship.options import OPTIONS
from gatewaylog.ship.settings import DESTINATIONS, Settings, destination_of
from tests.gateway.configured import read

PAGE = (Path(__file__).parents[2] / "docs" / "shipping.md").read_text()
COMMANDS = re.findall(r"^(?:ExecStart=\S*/)?gatewaylog (\w+) (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("verb", "arguments"), COMMANDS, ids=[f"{v} {a}" for v, a in COMMANDS])
def test_a_command_of_the_page_can_be_read(verb: str, arguments: str) -> None:
    _, parser, words = called([verb, *shlex.split(arguments.partition(" > ")[0])])
    options = parser.parse_args(words)
    if verb == "ship" and options.to:
        given: dict[str, Any] = {name: getattr(options, name, "") for name in OPTIONS[options.to]}
        secrets = {"token": "t"} if options.to == "splunk" else {}
        secrets |= {"password": "p"} if options.user else {}
        destination_of(Settings(to=options.to, **given | secrets)).close()


def test_the_tables_of_the_page_can_be_read() -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [ship.to for ship in read(text).ship] == ["loki", "syslog"]


def test_the_page_has_every_destination_and_every_key() -> None:
    assert {options for _, words in COMMANDS for options in re.findall(r"--to (\w+)", words)} == {
        *DESTINATIONS
    }
    missing = [key for key in ShipConfig.model_fields if f"`{key}" not in PAGE]
    assert [key for key in missing if key not in {"tenant", "index", "table"}] == []
    assert Limits() == Limits(size=512 * 1024, events=2000)  # as the page says of a program
