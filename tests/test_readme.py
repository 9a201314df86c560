"""README.md and docs/ keep what they show: configurations load, lines parse, tables are whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme

from gatewaylog.cli.verbs import VERBS
from gatewaylog.formats import Line, parse_line
from gatewaylog.gateway.config import (
    ApiConfig,
    ApplicationConfig,
    AuthConfig,
    Config,
    CorsConfig,
    LogConfig,
    RedactConfig,
    ResourceConfig,
    SearchConfig,
    ServerConfig,
    parse,
)
from gatewaylog.seal.keys import make_keys

if TYPE_CHECKING:
    from gatewaylog.gateway.config.values import Table

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted([README, *(ROOT / "docs").glob("*.md")])
_BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_ROW = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    text: str


def blocks(language: str, pages: list[Path] = PAGES) -> list[Block]:
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for page in pages
        for text in [page.read_text()]
        for match in _BLOCK.finditer(text)
        if match[1] == language
    ]


def place(block: Block) -> str:
    return f"{block.page.name}:{block.line}"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the configurations name."""
    authority = trustme.CA()
    certificate = authority.issue_cert("gw.example.edu")
    (tmp_path / "tls").mkdir()
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "tls/certificate.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "tls/key.pem")
    authority.cert_pem.write_to_path(tmp_path / "tls/authority.pem")
    make_keys(tmp_path / "keys")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("block", blocks("toml"), ids=place)
def test_a_configuration_can_be_used_as_it_stands(block: Block) -> None:
    secrets = ("PSEUDONYM_KEY", "INTROSPECTION_SECRET", "PASSWORD")
    environ = {**dict.fromkeys(secrets, "odd-but-long-enough"), "ALERTS": "https://h.example/a"}
    config = parse(tomllib.loads(block.text), file=place(block), environ=environ)
    assert config != Config()


@pytest.mark.parametrize("block", blocks("python", [README]), ids=place)
def test_the_readme_s_python_is_python(block: Block) -> None:
    assert compile(block.text, place(block), "exec").co_code


def test_the_readme_s_log_is_a_log() -> None:
    first = blocks("", [README])[0]
    lines = [parse_line(raw.encode()) for raw in first.text.splitlines()]
    assert len(lines) == 6
    assert all(isinstance(line, Line) for line in lines)
    assert sum('Event="ERROR"' in raw for raw in first.text.splitlines()) == 3


@pytest.mark.parametrize(
    "block",
    [
        block
        for language in ("", "json")
        for block in blocks(language)
        if block.page.name != "benchmarks.md" and '"INCOMING_REQUEST", "' in block.text
    ],
    ids=place,
)
def test_a_line_of_the_log_can_be_read(block: Block) -> None:
    for raw in block.text.splitlines():
        assert isinstance(parse_line(raw.encode()), Line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()
    ]
    assert missing == []


TABLES: dict[str, type[Table]] = {
    "## [server]": ServerConfig,
    "## [log]": LogConfig,
    "## [[api]]": ApiConfig,
    "### [[api.resource]]": ResourceConfig,
    "### [api.cors]": CorsConfig,
    "## [auth]": AuthConfig,
    "## [[application]]": ApplicationConfig,
    "## [search]": SearchConfig,
}


def section(heading: str) -> str:
    text = (ROOT / "docs" / "gateway.md").read_text()
    start = text.index(f"\n{heading}\n") + len(heading) + 2
    return re.split(r"^##", text[start:], maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("heading", TABLES)
def test_the_reference_has_every_key_with_its_default(heading: str) -> None:
    model = TABLES[heading]
    tables = {"resource", "cors", "redact", "jwt", "introspection"}
    rows = dict(_ROW.findall(section(heading)))
    assert list(rows) == [key for key in model.model_fields if key not in tables]
    for key, told in rows.items():
        field = model.model_fields[key]
        assert (told == "must be given") == field.is_required(), key
        if re.fullmatch("`[^`]+`", told):
            assert getattr(_with(model, key, told.strip("`")), key) == field.get_default(), key


def _with(model: type[Table], key: str, value: str) -> Table:
    """A table with what must be given, and `key` as the reference writes its default."""
    table = tomllib.loads(f"{key} = {value}")
    needed = {"name": "a", "owner": "a", "path": "/a", "context": "/a"}
    needed |= {"backend": "http://a", "origins": "*"}
    for name, field in model.model_fields.items():
        if field.is_required():
            table[name] = needed[name]
    lists = {name: tuple(item) for name, item in table.items() if isinstance(item, list)}
    return model.model_validate(table | lists)


def test_the_reference_has_the_redacted_parameters() -> None:
    told = section("## [log]").partition("The default is ")[2].partition(";")[0]
    assert tuple(re.findall(r"`([^`]+)`", told)) == RedactConfig().query


def test_the_reference_has_the_defaults_of_cors() -> None:
    rows = dict(_ROW.findall(section("### [api.cors]")))
    usual = CorsConfig(origins=("*",))
    assert tuple(rows["methods"].split(", ")) == usual.methods
    assert tuple(re.findall(r"`([^`]+)`", rows["headers"])) == usual.headers


def test_every_verb_in_the_documentation_is_one() -> None:
    for block in blocks("sh"):
        for verb in re.findall(r"^gatewaylog (\w+)", block.text, re.MULTILINE):
            assert verb in VERBS
