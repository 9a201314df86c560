"""The dashboard and the ruler's alerts: their LogQL is read by Grafana's own parser.

Grafana and Loki install from no package registry, so that neither draws nor answers here.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from gatewaylog.events import LAYOUTS
from tests.integrations.tools import SHIPPED, TOOLS, tool, tool_file

DASHBOARD: dict[str, Any] = json.loads((SHIPPED / "grafana" / "gatewaylog.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((SHIPPED / "loki" / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS = DASHBOARD["panels"]
VARIABLES = {found["name"]: found for found in DASHBOARD["templating"]["list"]}
CHOSEN = {
    "$__range": "24h",
    "$__auto": "5m",
    "${url:regex}": "/a\\.b",
    "$api": "(a--B:v1|c)",
    "$without": "none",
    "$exchange": "urn:uuid:7b5b",
}
OURS = {"job", "node", "event", "api", "result"}
FIELDS = {field.key for layout in LAYOUTS for field in layout.fields} | {"Event"}
# What Grafana 12 draws, of which the dashboard has some.
KINDS = {"stat", "timeseries", "bargauge", "table", "logs"}


def queries() -> list[str]:
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def sent(query: str) -> str:
    """A query as Grafana sends it."""
    for name, value in CHOSEN.items():
        query = query.replace(name, value)
    return query


def read(queries: list[str]) -> subprocess.CompletedProcess[str]:
    tool_file("node_modules/@grafana/lezer-logql")
    script = SHIPPED.parent / "tests" / "integrations" / "logql.mjs"
    return subprocess.run(
        [tool("node"), str(script), str(TOOLS)],
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.system
def test_grafanas_parser_reads_every_query() -> None:
    done = read([*map(sent, queries()), *(rule["expr"] for rule in RULES)])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.system
@pytest.mark.parametrize(
    "wrong", ['sum by (api (count_over_time({job="a"}[1h]))', '{job="a"} | = b']
)
def test_grafanas_parser_finds_a_mistake(wrong: str) -> None:
    done = read([wrong])
    assert done.returncode == 1
    assert wrong in done.stdout


def test_no_variable_is_left_over_and_each_is_used() -> None:
    together = "\n".join(queries())
    assert "$" not in "".join(map(sent, queries()))
    used = {re.sub(r"\W", "", name.partition(":")[0]) for name in CHOSEN if name in together}
    assert used == (set(VARIABLES) - {"datasource"}) | {"__range", "__auto"}


@pytest.mark.parametrize("query", [*queries(), *(rule["expr"] for rule in RULES)])
def test_a_query_asks_for_fields_that_lines_have(query: str) -> None:
    plain = re.sub(r'"[^"]*"|`[^`]*`', "", query)
    grouped = {
        name.strip() for names in re.findall(r"by \(([^)]*)\)", plain) for name in names.split(",")
    }
    compared = set(re.findall(r"([A-Za-z_]+)\s*(?:=~|!~|!=|=)", plain)) | set(
        re.findall(r"unwrap (\w+)", plain)
    )
    assert grouped | compared <= FIELDS | OURS | {"__error__"}
    assert set(re.findall(r'event=~?"([A-Z_|]+)"', query)) <= {
        *(layout.name for layout in LAYOUTS),
        "REQUEST_COMPLETE|ERROR",
    }


def test_a_number_is_compared_as_text() -> None:
    """`StatusCode="null"` makes a whole metric query with a numeric comparison fail."""
    for query in [*queries(), *(rule["expr"] for rule in RULES)]:
        assert not re.search(r"\| *[A-Z]\w+ *(?:[<>]=?|==) *[0-9]", query)
        assert "unwrap" not in query or '__error__=""' in query


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["uid"] == "gatewaylog"
    assert "id" not in DASHBOARD
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert {panel["type"] for panel in PANELS} == KINDS
    for panel in PANELS:
        assert panel["datasource"] == {"type": "loki", "uid": "${datasource}"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


def test_no_panel_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_an_alert_has_what_the_ruler_knows_and_no_more() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
