"""The page on integrations: what it names is there, what is there it names, its commands can be
read.
"""

from __future__ import annotations

import re
import shlex

import pytest

from gatewaylog.cli.verbs import load, parser_of
from tests.integrations.tools import ROOT, SHIPPED

PAGE = (ROOT / "docs" / "integrations.md").read_text()
COMMANDS = re.findall(r"^gatewaylog (\w+) (.*)$", PAGE, re.MULTILINE)
# Parts of something that the page names as a whole.
WHOLE = ("splunk", "docker", "syslog", "systemd")


@pytest.mark.parametrize(("verb", "arguments"), COMMANDS)
def test_a_command_of_the_page_can_be_read(verb: str, arguments: str) -> None:
    parser_of(verb, load(verb)).parse_args(shlex.split(arguments))


def test_what_the_page_names_is_there() -> None:
    named = set(re.findall(r"integrations/[\w./@-]*[\w/]", PAGE.replace("(../integrations)", "")))
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_what_is_shipped_is_named() -> None:
    shipped = {path.relative_to(ROOT) for path in SHIPPED.rglob("*") if path.is_file()}
    single = {path for path in shipped if path.parts[1] not in WHOLE}
    assert single
    assert [path for path in single if str(path) not in PAGE] == []
    assert [name for name in WHOLE if f"integrations/{name}/" not in PAGE] == []


def test_each_program_has_its_section() -> None:
    links = re.findall(r"\]\(#([\w-]+)\)", PAGE)
    titles = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert len(links) > 10
    assert [link for link in links if link not in titles] == []


def test_the_page_tells_the_version_of_the_add_on() -> None:
    conf = (SHIPPED / "splunk" / "TA-gatewaylog" / "default" / "app.conf").read_text()
    (version,) = set(re.findall(r"^version = (.*)$", conf, re.MULTILINE))
    assert f"TA-gatewaylog-{version}.spl" in PAGE
