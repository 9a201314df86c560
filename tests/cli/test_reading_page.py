"""docs/reading.md: its examples are run at a terminal, and give what stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gatewaylog.cli.output.choosing import OUTPUTS
from gatewaylog.cli.reports import REPORTS
from tests.cli.processes import at_terminal

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reading.md").read_text()
EXAMPLES = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SURROUNDINGS = {"NO_COLOR": "1", "COLUMNS": "100", "TZ": "America/Los_Angeles"}


def logs_in(folder: Path) -> None:
    """Put the page's logs into a folder; `cut.log` lacks the end of one exchange."""
    log = (ROOT / "tests" / "search" / "access_log.txt").read_bytes()
    (folder / "access.log").write_bytes(log)
    lines = log.splitlines(keepends=True)
    (folder / "cut.log").write_bytes(b"".join(line for line in lines if b'"b2"' not in line))


def shown(command: str, folder: Path) -> list[str]:
    """What a terminal shows of a command."""
    name, *arguments = shlex.split(command)
    assert name == "gatewaylog"
    with at_terminal(*arguments, cwd=folder, **SURROUNDINGS) as running:
        running.ended()
        return [line.rstrip() for line in running.text.splitlines()]


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[one for one, _ in EXAMPLES])
def test_an_example_gives_what_stands_there(command: str, output: str, tmp_path: Path) -> None:
    logs_in(tmp_path)
    assert shown(command, tmp_path) == output.splitlines()


def test_every_report_and_output_is_on_the_page() -> None:
    assert set(REPORTS) <= set(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE))
    assert all(f"\n{report.query}\n" in PAGE for report in REPORTS.values())
    assert all(f"`{output}`" in PAGE or f" {output}`" in PAGE for output in OUTPUTS)
