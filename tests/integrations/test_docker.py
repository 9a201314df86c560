"""The image and the Compose file: read by hadolint and by Compose's own schema, as no daemon runs
here. The gateway's configuration and the image's health check are run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from gatewaylog.cli.verbs import load, parser_of
from tests.integrations.shipped_paths import moved
from tests.integrations.tools import ROOT, SHIPPED, run, tool
from tests.running import launched
from tests.system.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path

DOCKER = SHIPPED / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


@pytest.mark.system
def test_hadolint_finds_no_fault() -> None:
    run(tool("hadolint"), "--no-color", DOCKER / "Dockerfile")


@pytest.mark.system
def test_compose_knows_every_word() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    run(tool("check-jsonschema"), *schema, DOCKER / "compose.yaml")


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = (DOCKER / "Dockerfile.dockerignore").read_text().split("\n!")
    for names in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for name in names.split():
            assert (ROOT / name).exists()
            assert name.removeprefix("./") in {line.split("\n")[0] for line in kept}


def test_the_extras_that_are_installed_are_extras() -> None:
    (extras,) = re.findall(r"'\.\[(.*)\]'", DOCKERFILE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"gateway", "ship"} == set(extras.split(",")) <= set(project["optional-dependencies"])


def test_nothing_runs_as_root_or_writes_outside_its_volumes() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    volumes = json.loads(re.findall(r"^VOLUME (.*)$", DOCKERFILE, re.MULTILINE)[0])
    for name in ("gateway", "ship"):
        service = SERVICES[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        written = [where for where in service["volumes"] if not where.endswith(":ro")]
        assert {where.partition(":")[2] for where in written} <= set(volumes)


def test_what_is_mounted_is_there() -> None:
    named = set(COMPOSE["volumes"])
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in named or (DOCKER / source).exists(), source


def test_an_image_is_pinned() -> None:
    for service in SERVICES.values():
        assert "build" in service or re.search(r":v?\d+\.\d+", service["image"])


def test_the_shipper_sends_the_gateways_log_to_loki() -> None:
    verb, *words = SERVICES["ship"]["command"]
    options = parser_of(verb, load(verb)).parse_args(words)
    config = tomllib.loads((DOCKER / "gateway.toml").read_text())
    assert (options.to, options.url) == ("loki", "http://loki:3100")
    assert [str(file) for file in options.file] == [config["log"]["path"]]


def test_grafana_is_given_loki_and_the_dashboard() -> None:
    sources = yaml.safe_load((DOCKER / "provisioning" / "datasources.yaml").read_text())
    (source,) = sources["datasources"]
    assert (source["type"], source["url"]) == ("loki", "http://loki:3100")
    dashboards = yaml.safe_load((DOCKER / "provisioning" / "dashboards.yaml").read_text())
    (provider,) = dashboards["providers"]
    mounted = {v.split(":")[1]: v.split(":")[0] for v in SERVICES["grafana"]["volumes"]}
    folder = DOCKER / mounted[provider["options"]["path"]]
    assert [path.name for path in folder.resolve().glob("*.json")] == ["gatewaylog.json"]


@pytest.mark.system
async def test_the_gateway_runs_by_its_file_and_the_health_check_sees_it(tmp_path: Path) -> None:
    paths = {"/var/log/gatewaylog": tmp_path / "logs", "0.0.0.0:8080": "127.0.0.1:0"}
    port = free_port()
    text = moved("docker/gateway.toml", paths | {"127.0.0.1:9090": f"127.0.0.1:{port}"})
    (check,) = re.findall(r"HEALTHCHECK.*?CMD (\[.*?\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
    command = json.loads(check)
    assert "http://127.0.0.1:9090/" in command[-1]
    command[0], command[-1] = sys.executable, command[-1].replace("9090", str(port))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    async with launched(tmp_path, text) as gateway:
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        answer = await gateway.ask(b"GET /nothing HTTP/1.1\r\nHost: here\r\n\r\n")
        assert answer.status == 404
