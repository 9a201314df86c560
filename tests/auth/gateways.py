"""Gateways that take every kind of credential, as texts of their configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.auth.issuers import AUDIENCE, ISSUER, kept
from tests.running import api, toml

if TYPE_CHECKING:
    from pathlib import Path

KEY = "the-key-of-mobile"
SECRET = "the-secret-of-mobile"
OTHER_SECRET = "the-secret-of-other"
LABEL = "acme--Echo:v1.0.0"
APPLICATIONS = f"""
[[application]]
name = "mobile"
owner = "lzelus"
subscriptions = ["{LABEL}"]
keys = ["{kept(KEY)}"]
client_id = "mobile-client"
client_secret = "{kept(SECRET)}"
scopes = ["items.read", "items.list"]
[[application]]
name = "other"
owner = "ann"
client_id = "other client:%"
client_secret = "{kept(OTHER_SECRET)}"
[[application]]
name = "resting"
owner = "bob"
subscriptions = ["*"]
suspended = ["{LABEL}"]
client_id = "resting-client"
client_secret = "{kept(SECRET)}"
"""
RESOURCES = """
[[api.resource]]
path = "/open"
auth = "none"
[[api.resource]]
path = "/scoped"
scopes = ["items.write", "items.read"]
[[api.resource]]
path = "/writing"
scopes = ["items.write"]
[[api.resource]]
path = "/*"
"""


def auth(*accepted: str, more: str = "") -> str:
    return f"[auth]\naccept = {list(accepted)!r}\n{more}\n"


def jwt_table(jwks: str, *, timeout: float = 10.0) -> str:
    return (
        f'[auth.jwt]\njwks = "{jwks}"\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
        f"timeout = {timeout}\n"
    )


def introspection_table(url: str, more: str = "", *, timeout: float = 10.0) -> str:
    return (
        f'[auth.introspection]\nurl = "{url}"\nclient_id = "gateway"\n'
        f'client_secret = "asking"\ntimeout = {timeout}\n{more}\n'
    )


def database(folder: Path) -> str:
    return f'[database]\nurl = "sqlite:///{folder}/tokens.db"\n'


def gateway(folder: Path, backend: str, *tables: str, log: str = "") -> str:
    """One API, /echo, that needs a credential, for three applications."""
    echo = api(backend, auth="required", more=RESOURCES)
    return toml(folder, APPLICATIONS, *tables, echo, log=log)
