"""Every row of the table of credentials, as Authlib's client meets it at a gateway of several
processes, with the event in the access log and what the event log tells.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from gatewaylog import errors
from gatewaylog.audit.events.line import parse_line
from gatewaylog.errors import AUTH, Failure
from gatewaylog.events import RequestError
from tests.auth.gateways import (
    KEY,
    SECRET,
    auth,
    database,
    gateway,
    introspection_table,
    jwt_table,
)
from tests.auth.issuers import (
    KEY_SET,
    OTHER_RSA_KEY,
    RSA_KEY,
    KeyServer,
    claims,
    jwt,
    pem,
)
from tests.auth.test_introspection import GOOD, Server
from tests.running import launched, until
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Process

pytestmark = pytest.mark.system


class Case(NamedTuple):
    """A token, where it is used, and what that must give; None: it opens."""

    failure: Failure | None
    token: str
    path: str = "/echo/x"


def jwts() -> list[Case]:
    """Good ones and attacks."""
    invalid = errors.INVALID_CREDENTIALS
    return [
        Case(None, jwt()),
        Case(invalid, jwt(None, None, alg="none")),
        Case(invalid, jwt(None, pem(RSA_KEY), alg="HS256")),
        Case(invalid, jwt(None, pem(RSA_KEY))),
        Case(invalid, jwt(None, OTHER_RSA_KEY)),
        Case(invalid, jwt(None, RSA_KEY, kid="unknown")),
        Case(invalid, jwt(claims(aud="https://other.example"))),
        Case(invalid, jwt(claims(iss="https://evil.example"))),
        Case(invalid, jwt(claims(nbf=claims()["exp"]))),
        Case(invalid, jwt(claims(more="x" * 9000))),
        Case(errors.TOKEN_EXPIRED, jwt(claims(exp=5))),
        Case(errors.NOT_SUBSCRIBED, jwt(claims(client_id="nobody"))),
        Case(errors.NOT_SUBSCRIBED, jwt(claims(client_id="other client:%"))),
        Case(errors.SUBSCRIPTION_INACTIVE, jwt(claims(client_id="resting-client"))),
        Case(errors.SCOPE_MISSING, jwt(), "/echo/writing"),
        Case(None, "known"),
        Case(errors.AUTH_UNAVAILABLE, "odd"),
        Case(errors.TOKEN_INACTIVE, "inactive"),
        Case(errors.TOKEN_EXPIRED, "over"),
        Case(invalid, "early"),
    ]


HEADERS: list[tuple[Failure | None, dict[str, str]]] = [
    (None, {"X-API-Key": KEY}),
    (errors.MISSING_CREDENTIALS, {}),
    (errors.INVALID_CREDENTIALS, {"X-API-Key": "guess"}),
    (errors.INVALID_CREDENTIALS, {"ApiKey": "guess"}),
    (errors.WRONG_CREDENTIAL_TYPE, {"Authorization": "Digest username=a"}),
    (errors.INVALID_CREDENTIALS, {"Authorization": "Bearer known", "X-API-Key": KEY}),
]


def base(served: Process) -> str:
    return f"http://127.0.0.1:{served.where}"


def client(served: Process, token: str = "", secret: str = SECRET) -> Any:
    held = {"access_token": token, "token_type": "bearer"} if token else None
    return AsyncOAuth2Client(
        client_id="mobile-client",
        client_secret=secret,
        token=held,
        token_endpoint=f"{base(served)}/oauth/token",
        timeout=20,
    )


async def own_tokens(served: Process, folder: Path) -> list[Case]:
    """Tokens that the gateway issued: one that lives, one that is over, one that is revoked."""
    async with client(served) as oauth:
        issued = [await oauth.fetch_token(grant_type="client_credentials") for _ in range(3)]
        tokens = [one["access_token"] for one in issued]
        await oauth.revoke_token(f"{base(served)}/oauth/revoke", token=tokens[2])
        with pytest.raises(OAuthError, match="unsupported_grant_type"):
            await oauth.fetch_token(grant_type="password")
    async with client(served, secret="guess") as oauth:
        with pytest.raises(OAuthError, match="invalid_client"):
            await oauth.fetch_token(grant_type="client_credentials")
    with contextlib.closing(sqlite3.connect(folder / "tokens.db")) as connection, connection:
        # The second of them, by the only thing that is kept of it.
        rows = connection.execute("SELECT digest FROM access_tokens WHERE revoked_at IS NULL")
        digests = {row[0] for row in rows}
        over = _digest(tokens[1])
        assert over in digests
        connection.execute("UPDATE access_tokens SET expires_at = 5 WHERE digest = ?", [over])
    return [
        Case(None, tokens[0]),
        Case(None, tokens[0], "/echo/scoped"),
        Case(errors.SCOPE_MISSING, tokens[0], "/echo/writing"),
        Case(errors.TOKEN_EXPIRED, tokens[1]),
        Case(errors.TOKEN_INACTIVE, tokens[2]),
        Case(errors.TOKEN_INACTIVE, "x" * 43),  # not ours: the other server is asked
    ]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def check(served: Process, answer: httpx.Response, failure: Failure | None) -> None:
    """The answer, and the event that has the MessageID which the answer names."""
    if failure is None:
        assert answer.status_code == 200, answer.text
        return
    assert (answer.status_code, answer.json()["code"]) == (failure.status, failure.code)
    event = await ended(served, answer.headers["activityid"])
    assert isinstance(event, RequestError)
    assert (event.error_source, event.error_code) == (failure.source, failure.code)
    assert (event.error_message, event.status_code) == (failure.message, failure.status)


async def ended(served: Process, message_id: str) -> object:
    """The terminal event of the exchange that this MessageID began."""

    def found() -> list[object]:
        return [one for one in served.log.terminals() if one.response_to == message_id]

    await until(found)
    (event,) = found()
    return event


async def test_each_row_and_each_attack_is_met_by_a_client_that_is_not_ours(
    tmp_path: Path,
) -> None:
    keys = KeyServer(KEY_SET)
    known = Server(
        known=GOOD,
        odd={"active": "yes"},
        over=GOOD | {"exp": 5},
        early=GOOD | {"nbf": claims()["exp"]},
    )
    met = set()
    async with (
        StrictBackend() as backend,
        StrictBackend(keys) as issuer,
        StrictBackend(known) as asked,
    ):
        text = gateway(
            tmp_path,
            backend.url,
            auth("api_keys", "tokens", "jwt", "introspection", more="token_cache = 0"),
            jwt_table(issuer.url),
            introspection_table(asked.url, "cache = 0"),
            database(tmp_path),
            f'[event_log]\npath = "{tmp_path}/event.log"\n',
            log='response_header = "activityid"',
        ).replace("[server]", "[server]\nworkers = 2")
        async with launched(tmp_path, text) as served:
            cases = jwts() + await own_tokens(served, tmp_path)
            for case in cases:
                async with client(served, case.token) as oauth:
                    answer = await oauth.get(base(served) + case.path)
                await check(served, answer, case.failure)
                met.add(case.failure)
            async with httpx.AsyncClient(timeout=20) as plain:
                for failure, headers in HEADERS:
                    answer = await plain.get(f"{base(served)}/echo/x", headers=headers)
                    await check(served, answer, failure)
                    met.add(failure)
            assert await served.stop() == 0
    assert met - {None} == {
        one for one in vars(errors).values() if isinstance(one, Failure) and one.source == AUTH
    }
    opened = [case for case in (*cases, *HEADERS) if case[0] is None]
    assert len(backend.requests) == len(opened)
    raw = (tmp_path / "event.log").read_bytes()
    assert [parse_line(line).event for line in raw.splitlines()] == [
        "GATEWAY_STARTED",
        "CONFIGURATION_LOADED",
        *["TOKEN_ISSUED"] * 3,
        "TOKEN_REVOKED",
        *["TOKEN_REFUSED"] * 2,
        *["LOG_CLOSED"] * (raw.count(b"LOG_CLOSED")),
        "GATEWAY_STOPPED",
    ]


async def test_servers_that_are_down_or_slow_open_nothing(tmp_path: Path) -> None:
    """One of keys that is not there, one of introspection that never answers."""
    slow = Server(known=GOOD)
    slow.free.clear()
    async with StrictBackend() as backend, StrictBackend(slow) as asked:
        text = gateway(
            tmp_path,
            backend.url,
            auth("jwt", "introspection"),
            jwt_table("http://127.0.0.1:1/keys"),
            introspection_table(asked.url, timeout=0.2),
            log='response_header = "activityid"',
        )
        async with launched(tmp_path, text) as served:
            for token in (jwt(), "known", "other", jwt(None, None, alg="none")):
                async with client(served, token) as oauth:
                    answer = await oauth.get(f"{base(served)}/echo/x")
                is_forged = token.endswith(".")
                failure = errors.INVALID_CREDENTIALS if is_forged else errors.AUTH_UNAVAILABLE
                await check(served, answer, failure)
            assert await served.stop() == 0
        assert slow.asked == ["known"]  # then it is left alone
        slow.free.set()
    assert backend.requests == []
