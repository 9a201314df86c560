"""(e) What a credential costs a call: none, an API key, a token, a JWT, introspection, a limit.

    python benchmarks/credentials.py [--runs 5] [--seconds 3]

Each is a gateway of one worker before the same nginx. Tokens are known after their first call,
but in the row that verifies each time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from gateways import TEMPORARY, nginx
from harness import Peer, free_port, needs, running, side_by_side, table
from joserfc import jwt
from joserfc.jwk import RSAKey

from gatewaylog.audit.token_store import DatabaseTokens
from gatewaylog.auth.api_keys import new_key
from gatewaylog.auth.applications import Application
from gatewaylog.auth.tokens import NewToken, Tokens
from gatewaylog.auth.verdicts import Verdicts

BACKEND = """
worker_processes 1; daemon off; pid {folder}/backend.pid; error_log {folder}/backend.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  {temporary}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ default_type text/plain; return 200 "hello world\\n"; }}
    location /introspect {{ default_type application/json;
      return 200 '{{"active":true,"client_id":"mobile"}}'; }} }}
}}
"""
GATEWAY = """
[server]
listen = "127.0.0.1:{port}"
[log]
path = "{folder}/{name}.log"
{tables}
[[api]]
name = "Hello"
provider = "acme"
version = "1.0"
context = "/hello"
auth = "{auth}"
backend = "http://127.0.0.1:{backend}"
[[application]]
name = "mobile"
owner = "acme"
subscriptions = ["acme--Hello:v1.0"]
keys = ["{kept}"]
client_id = "mobile"
"""
JWT = """[auth]
accept = ["api_keys", "jwt"]
{more}
[auth.jwt]
jwks = "{folder}/keys.json"
issuer = "https://issuer.example"
audience = "hello"
"""
TOKENS = """[auth]
accept = ["api_keys", "tokens"]
[database]
url = "sqlite:///{folder}/tokens.db"
"""
INTROSPECTION = """[auth]
accept = ["api_keys", "introspection"]
[auth.introspection]
url = "http://127.0.0.1:{backend}/introspect"
client_id = "gateway"
client_secret = "x"
"""
LIMIT = """[[throttle]]
per = "application"
rate = "1000000/second"
"""


def signed(folder: Path) -> str:
    """Return a JWT; write the key set that verifies it."""
    key = RSAKey.generate_key(2048, {"kid": "one"})
    (folder / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    claims = {
        "iss": "https://issuer.example",
        "aud": "hello",
        "sub": "amy",
        "client_id": "mobile",
        "exp": int(time.time()) + 86_400,
    }
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


async def issued(folder: Path) -> str:
    """Return a token of the gateway's own."""
    store = DatabaseTokens(f"sqlite:///{folder}/tokens.db")
    tokens = Tokens(store, Verdicts(), lifetime=86_400)
    mobile = Application(name="mobile", owner="amy", client_id="mobile")
    token = await tokens.issue(mobile, frozenset())
    tokens.close()
    if not isinstance(token, NewToken):
        raise SystemExit("no token was issued")
    return token.token


def peers(folder: Path, backend: int) -> list[Peer]:
    key, kept = new_key()
    by_key = {"X-API-Key": key}
    by_jwt = {"Authorization": f"Bearer {signed(folder)}"}
    by_token = {"Authorization": f"Bearer {asyncio.run(issued(folder))}"}
    strange = {"Authorization": "Bearer known-elsewhere"}
    each_time = "token_cache = 0"
    made = []
    for name, tables, auth, headers in (
        ("no credential", "", "none", {}),
        ("API key", "", "required", by_key),
        ("API key, tokens taken too", TOKENS, "required", by_key),
        ("token", TOKENS, "required", by_token),
        ("JWT", JWT.format(folder=folder, more=""), "required", by_jwt),
        ("JWT, verified each time", JWT.format(folder=folder, more=each_time), "required", by_jwt),
        ("introspection", INTROSPECTION, "required", strange),
        ("API key and a limit", LIMIT, "required", by_key),
    ):
        port = free_port()
        written = folder / f"{name}.toml"
        filled = tables.format(folder=folder, backend=backend)
        written.write_text(
            GATEWAY.format(
                folder=folder,
                port=port,
                backend=backend,
                kept=kept,
                name=name,
                tables=filled,
                auth=auth,
            )
        )
        made.append(
            Peer(
                name=name,
                command=[sys.executable, "-m", "gatewaylog", "serve", str(written)],
                port=port,
                path="/hello/world",
                headers=headers,
                output=folder / f"{name}.out",
            )
        )
    return made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=int, default=3)
    chosen = options.parse_args()
    needs("wrk", "nginx")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        configuration = folder / "backend.conf"
        temporary = TEMPORARY.format(folder=folder)
        configuration.write_text(BACKEND.format(folder=folder, port=port, temporary=temporary))
        backend = Peer(name="backend", command=nginx(configuration), port=port)
        with running(backend):
            loads = side_by_side(peers(folder, port), runs=chosen.runs, seconds=chosen.seconds)
    print(table(loads, base="API key"))


if __name__ == "__main__":
    main()
