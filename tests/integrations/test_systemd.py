"""The shipped units, by systemd's own check of their words, and of what they leave open."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gatewaylog.cli.verbs import load, parser_of
from tests.integrations.shipped_paths import moved
from tests.integrations.tools import SHIPPED, run, tool

UNITS = ("gatewaylog.service", "gatewaylog-ship@.service")
EXPOSED = "20"  # tenths of what systemd-analyze calls exposure: up to 2.0 of 10 is OK


def unit(name: str, folder: Path) -> Path:
    """The unit, with the program that runs here."""
    command = Path(sys.executable).with_name("gatewaylog")
    path = folder / name.replace("@", "@loki")
    path.write_text(moved(f"systemd/{name}", {"/opt/gatewaylog/bin/gatewaylog": command}))
    return path


@pytest.mark.system
@pytest.mark.parametrize("name", UNITS)
def test_systemd_knows_every_word(name: str, tmp_path: Path) -> None:
    command = [tool("systemd-analyze"), "verify", "--man=no", str(unit(name, tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.system
@pytest.mark.parametrize("name", UNITS)
def test_little_is_left_open(name: str, tmp_path: Path) -> None:
    check = ("security", "--offline=yes", f"--threshold={EXPOSED}", "--no-pager")
    run(tool("systemd-analyze"), *check, unit(name, tmp_path))


@pytest.mark.parametrize("name", UNITS)
def test_the_commands_of_a_unit_can_be_read(name: str) -> None:
    text = (SHIPPED / "systemd" / name).read_text()
    commands = re.findall(r"^Exec\w+=\S+/gatewaylog (\w+) (.*)$", text, re.MULTILINE)
    assert commands
    for verb, words in commands:
        words = words.replace("$OPTIONS", "--url http://localhost:3100").replace("%i", "loki")
        parser_of(verb, load(verb)).parse_args(shlex.split(words))
