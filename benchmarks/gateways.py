"""(c) The gateway with API key and log, beside other gateways with their access logs on.

    python benchmarks/gateways.py [--runs 5] [--seconds 4]

All forward to one nginx that answers "hello world"; each keeps its connections to it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from harness import Peer, free_port, needs, running, side_by_side, table

from gatewaylog.auth.api_keys import new_key

HERE = Path(__file__).parent
BACKEND = """
worker_processes 1; daemon off; pid {folder}/backend.pid; error_log {folder}/backend.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  {temporary}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type text/plain; return 200 "hello world\\n"; }} }}
}}
"""
NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/nginx.log; keepalive_requests 1000000000;
  {temporary}
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://backend; proxy_http_version 1.1;
      proxy_set_header Connection ""; }} }}
}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  log {{
    output file {folder}/caddy.log
  }}
  reverse_proxy 127.0.0.1:{backend}
}}
"""
HAPROXY = """
global
  log stdout format raw local0
  nbthread 1
defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend gateway
  bind 127.0.0.1:{port}
  default_backend backend
backend backend
  http-reuse always
  server one 127.0.0.1:{backend}
"""
GATEWAY = """
[server]
listen = "127.0.0.1:{port}"
[log]
path = "{folder}/api-access.log"
[[api]]
name = "Hello"
provider = "acme"
version = "1.0"
context = "/hello"
backend = "http://127.0.0.1:{backend}"
[[application]]
name = "mobile"
owner = "acme"
subscriptions = ["acme--Hello:v1.0"]
keys = ["{key}"]
"""
TEMPORARY = (
    " ".join(f"{kind}_temp_path {{folder}}/t;" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    + " client_body_temp_path {folder}/t;"
)


def nginx(configuration: Path) -> list[str]:
    return ["nginx", "-c", str(configuration), "-e", "stderr"]


def peers(folder: Path, backend: int) -> list[Peer]:
    key, kept = new_key()
    temporary = TEMPORARY.format(folder=folder)
    made = []
    for name, template, command in (
        ("gatewaylog", GATEWAY, [sys.executable, "-m", "gatewaylog", "serve"]),
        ("nginx", NGINX, ["nginx", "-e", "stderr", "-c"]),
        ("HAProxy", HAPROXY, ["haproxy", "-f"]),
        ("Caddy", CADDY, ["caddy", "run", "--adapter", "caddyfile", "--config"]),
    ):
        port = free_port()
        written = folder / f"{name}.conf"
        written.write_text(
            template.format(
                folder=folder, port=port, backend=backend, key=kept, temporary=temporary
            )
        )
        output = folder / f"{name}.out"
        made.append(
            Peer(
                name=name,
                command=[*command, str(written)],
                port=port,
                path="/hello/world",
                headers={"X-API-Key": key},
                output=output,
            )
        )
    port = free_port()
    made.append(
        Peer(
            name="Starlette + httpx",
            command=[
                sys.executable, "-m", "uvicorn", "--app-dir", str(HERE), "starlette_httpx:app",
                "--port", str(port), "--log-level", "warning", "--no-access-log",
            ],
            port=port,
            path="/hello/world",
            environment={"BACKEND": f"http://127.0.0.1:{backend}"},
            output=folder / "starlette.out",
        )
    )  # fmt: skip
    return made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    chosen = options.parse_args()
    needs("wrk", "nginx", "caddy", "haproxy")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        configuration = folder / "backend.conf"
        temporary = TEMPORARY.format(folder=folder)
        configuration.write_text(BACKEND.format(folder=folder, port=port, temporary=temporary))
        backend = Peer(name="backend", command=nginx(configuration), port=port)
        with running(backend):
            loads = side_by_side(peers(folder, port), runs=chosen.runs, seconds=chosen.seconds)
    print(table(loads, base="Caddy"))


if __name__ == "__main__":
    main()
