"""Every row of the table of credentials over real HTTP, with its event; and which of several
credentials counts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog import errors
from gatewaylog.auth.api_keys import ApiKeys, Granted, Refused
from gatewaylog.auth.applications import Application
from gatewaylog.auth.credentials import Credentials, Sources, Unsettled
from gatewaylog.auth.flights import Flights
from gatewaylog.auth.verdicts import Answer, Facts, Verdicts
from gatewaylog.errors import AUTH, Failure
from tests.auth.gateways import (
    KEY,
    auth,
    database,
    gateway,
    introspection_table,
    jwt_table,
)
from tests.auth.issuers import KEY_SET, OTHER_RSA_KEY, claims, jwt, kept
from tests.auth.test_introspection import GOOD, Server
from tests.http_client import request
from tests.running import running
from tests.strict_backend import StrictBackend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.auth.issuers import Json

Lines = list[tuple[bytes, bytes]]


class Row(NamedTuple):
    """A call, and what it must give. `name` is the application's, `challenge` the error code of
    RFC 6750.
    """

    failure: Failure
    line: str
    path: bytes = b"/echo/x"
    name: str | None = None
    challenge: str | None = "invalid_token"


NOW = int(time.time())
INTROSPECTED: dict[str, Json] = {
    "over": GOOD | {"exp": NOW - 60},
    "plain": GOOD,
    "resting": GOOD | {"client_id": "resting-client"},
    "odd": {"active": "yes"},
}


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


def basic(user: str, password: str = "") -> str:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Authorization: Basic {pair}"


ROWS = [
    Row(errors.AUTH_UNAVAILABLE, bearer("odd"), challenge=None),
    Row(errors.INVALID_CREDENTIALS, "X-API-Key: unknown"),
    Row(errors.INVALID_CREDENTIALS, basic("unknown")),
    Row(errors.INVALID_CREDENTIALS, "Authorization: Bearer"),
    Row(errors.INVALID_CREDENTIALS, bearer(jwt(None, OTHER_RSA_KEY))),
    Row(errors.INVALID_CREDENTIALS, bearer("a" * 9000)),
    Row(errors.INVALID_CREDENTIALS, bearer("no token")),
    Row(errors.INVALID_CREDENTIALS, bearer("plain") + "\r\nX-API-Key: " + KEY),
    Row(errors.INVALID_CREDENTIALS, bearer("plain") + "\r\n" + bearer("plain")),
    Row(errors.MISSING_CREDENTIALS, "Accept: */*", challenge=""),
    Row(errors.TOKEN_EXPIRED, bearer(jwt(claims(exp=NOW - 60)))),
    Row(errors.TOKEN_EXPIRED, bearer("over")),
    Row(errors.TOKEN_INACTIVE, bearer("inactive")),
    Row(errors.WRONG_CREDENTIAL_TYPE, "Authorization: Digest x=y", challenge="invalid_request"),
    Row(
        errors.NOT_SUBSCRIBED,
        bearer(jwt(claims(client_id="other client:%"))),
        name="other",
        challenge=None,
    ),
    Row(errors.SUBSCRIPTION_INACTIVE, bearer("resting"), name="resting"),
    Row(
        errors.SCOPE_MISSING,
        bearer("plain"),
        b"/echo/writing",
        name="mobile",
        challenge="insufficient_scope",
    ),
    Row(
        errors.SCOPE_MISSING,
        f"X-API-Key: {KEY}",
        b"/echo/writing",
        name="mobile",
        challenge="insufficient_scope",
    ),
]


def test_no_row_of_the_table_is_left_out() -> None:
    table = {one for one in vars(errors).values() if isinstance(one, Failure)}
    assert {row.failure for row in ROWS} == {one for one in table if one.source == AUTH}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.failure.code)
async def test_each_row_is_met_with_its_event(tmp_path: Path, row: Row) -> None:
    (tmp_path / "keys.json").write_bytes(KEY_SET)
    async with StrictBackend() as backend, StrictBackend(Server(**INTROSPECTED)) as known:
        tables = (
            auth("api_keys", "tokens", "jwt", "introspection")
            + jwt_table(str(tmp_path / "keys.json"))
            + introspection_table(known.url)
            + database(tmp_path)
        )
        async with running(gateway(tmp_path, backend.url, tables)) as served:
            answer = await served.ask(request(row.path, row.line.encode()))
            await served.ended()
        assert backend.requests == []
    failure = row.failure
    told = json.loads(answer.body)
    assert (answer.status, told["code"]) == (failure.status, failure.code)
    assert told["message"] == failure.message
    shown = (answer.value(b"www-authenticate") or b"").decode()
    if row.challenge is None:
        assert "error=" not in shown or failure.status == 403
    else:
        assert shown.startswith('Bearer realm="gatewaylog"')
        assert (f'error="{row.challenge}"' in shown) == bool(row.challenge)
    event = served.log.error()
    assert (event.error_source, event.error_code) == (failure.source, failure.code)
    assert (event.error_message, event.status_code) == (failure.message, failure.status)
    assert event.application_name == row.name
    credential = row.line.partition("\r")[0].partition(": ")[2].rpartition("Bearer ")[2]
    if row.line.startswith("Authorization: Bearer "):
        expected = hashlib.sha256(credential.strip().encode()).hexdigest()[:32]
        assert event.token_ref == expected
    assert credential.encode() not in served.log.raw() or len(credential) < 10


@pytest.mark.parametrize("forwards", [False, True])
async def test_a_token_goes_on_to_the_backend_where_that_is_wished_alone(
    tmp_path: Path, forwards: bool
) -> None:
    more = f"forward_credential = {str(forwards).lower()}"
    async with StrictBackend() as backend, StrictBackend(Server(plain=GOOD)) as known:
        tables = auth("introspection", more=more) + introspection_table(known.url)
        async with running(gateway(tmp_path, backend.url, tables)) as served:
            asked = request(b"/echo/x", b"Authorization: Bearer plain", b"X-API-Key: backends")
            assert (await served.ask(asked)).status == 200
        (received,) = backend.requests
    assert received.value(b"authorization") == (b"Bearer plain" if forwards else None)
    assert received.value(b"x-api-key") == b"backends"


async def test_a_reload_keeps_verdicts_and_takes_new_rights(tmp_path: Path) -> None:
    server = Server(plain=GOOD)
    async with StrictBackend() as backend, StrictBackend(server) as known:
        tables = auth("introspection") + introspection_table(known.url)
        async with running(gateway(tmp_path, backend.url, tables)) as served:
            asked = request(b"/echo/x", b"Authorization: Bearer plain")
            assert (await served.ask(asked)).status == 200
            good = served.text
            served.text = good.replace('client_id = "mobile-client"', 'client_id = "renamed"')
            served.server._reload()
            assert (await served.ask(asked)).status == 403
            served.text = good
            served.server._reload()
            assert (await served.ask(asked)).status == 200
            assert server.asked == ["plain"]
            served.text = good.replace(
                'client_secret = "asking"', 'client_secret = "asking"\ncache = 5'
            )
            served.server._reload()
            assert (await served.ask(asked)).status == 200
            assert server.asked == ["plain", "plain"]


class Source:
    """Says the same of every token."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    async def ask(self, token: bytes, digest: bytes) -> Answer:
        assert digest == hashlib.sha256(token).digest()
        self.asked.append(token)
        return self.answer


MOBILE = Application(
    name="mobile",
    owner="lzelus",
    subscriptions=frozenset({"*"}),
    keys=frozenset({kept(KEY)}),
    scopes=frozenset({"a"}),
    client_id="mobile-client",
)


def credentials(*sources: Source, keys: bool = False, now: float = 0.0) -> Credentials:
    return Credentials(
        [MOBILE],
        keys=ApiKeys([MOBILE]) if keys else None,
        sources=Sources(cache=Verdicts(), opaque=sources),
        flights=Flights(),
        now=lambda: now,
    )


def facts(**changed: object) -> Answer:
    good = Facts("mobile-client", None, frozenset({"a", "b"}), 100.0)
    return Answer(good._replace(**changed), 10.0)  # type: ignore[arg-type]


async def settled(checker: Credentials, *lines: tuple[bytes, bytes], **wanted: object) -> object:
    options = {"label": "x"} | wanted
    found = checker.check(list(lines), **options)  # type: ignore[arg-type]
    return await found.settle() if isinstance(found, Unsettled) else found


TOKEN = (b"authorization", b"bEaReR  token ")
APIKEY = (b"apikey", KEY.encode())
BASIC = (b"authorization", basic(KEY).partition(": ")[2].encode())


@pytest.mark.parametrize(
    ("lines", "keys", "expected"),
    [
        ([TOKEN], True, Granted("mobile", "lzelus", b"token", (b"authorization",))),
        ([TOKEN, APIKEY], False, Granted("mobile", "lzelus", b"token", (b"authorization",))),
        ([APIKEY], True, Granted("mobile", "lzelus", KEY.encode(), (b"apikey",))),
        ([APIKEY, TOKEN], True, Refused(failure=errors.INVALID_CREDENTIALS, credential=b"token")),
        ([TOKEN, TOKEN], True, Refused(failure=errors.INVALID_CREDENTIALS, credential=b"token")),
        ([TOKEN, TOKEN], False, Refused(failure=errors.INVALID_CREDENTIALS, credential=b"token")),
        (
            [BASIC, BASIC],
            False,
            Refused(failure=errors.INVALID_CREDENTIALS),
        ),
        (
            [APIKEY],
            False,
            Refused(failure=errors.WRONG_CREDENTIAL_TYPE, credential=KEY.encode()),
        ),
        (
            [BASIC],
            False,
            Refused(failure=errors.WRONG_CREDENTIAL_TYPE, credential=KEY.encode()),
        ),
        ([], False, Refused(failure=errors.MISSING_CREDENTIALS)),
        ([], True, Refused(failure=errors.MISSING_CREDENTIALS)),
        (
            [(b"authorization", b"Bearer")],
            False,
            Refused(failure=errors.INVALID_CREDENTIALS),
        ),
    ],
)
async def test_one_credential_counts_and_two_are_none(
    lines: Lines, keys: bool, expected: object
) -> None:
    assert await settled(credentials(Source(facts()), keys=keys), *lines) == expected


async def test_a_token_of_ours_opens_no_more_than_its_application_may_now() -> None:
    scopes = {"scopes": frozenset({"b"})}
    foreign = await settled(credentials(Source(facts())), TOKEN, **scopes)
    assert isinstance(foreign, Granted)
    own = await settled(credentials(Source(facts(own=True, application="mobile"))), TOKEN, **scopes)
    assert isinstance(own, Refused)
    assert own.failure is errors.SCOPE_MISSING


async def test_a_cached_token_ends_when_it_expires() -> None:
    checker = credentials(Source(facts(expires=5.0)), now=4.0)
    assert isinstance(await settled(checker, TOKEN), Granted)
    checker._now = lambda: 5.0
    found = checker.check([TOKEN], label="x")
    assert found == Refused(failure=errors.TOKEN_EXPIRED, credential=b"token")


async def test_the_next_source_is_asked_where_the_first_knows_nothing() -> None:
    unknown = Source(Answer(errors.INVALID_CREDENTIALS, 10.0))
    first, second = unknown, Source(facts(user="amy"))
    found = await settled(credentials(first, second), TOKEN)
    assert isinstance(found, Granted)
    assert found.owner == "amy"
    inactive = Source(Answer(errors.TOKEN_INACTIVE, 10.0))
    refused = await settled(credentials(inactive, second), TOKEN)
    assert isinstance(refused, Refused)
    assert (len(first.asked), len(second.asked)) == (1, 1)


async def test_too_many_questions_at_once_are_not_waited_for() -> None:
    checker = credentials(Source(facts()))
    checker._flights._most = 0
    found = await settled(checker, TOKEN)
    assert found == Refused(failure=errors.AUTH_UNAVAILABLE, credential=b"token")


def test_good_and_bad_verdicts_do_not_drive_each_other_out() -> None:
    now = 0.0
    cache = Verdicts(most=2, monotonic=lambda: now)
    cache.keep(b"good", facts())
    for number in range(5):
        cache.keep(b"%d" % number, Answer(errors.INVALID_CREDENTIALS, 10.0))
    assert cache.get(b"good") == facts().verdict
    assert cache.get(b"2") is None
    assert cache.get(b"4") is errors.INVALID_CREDENTIALS
    cache.keep(b"4", Answer(errors.AUTH_UNAVAILABLE))
    assert cache.get(b"4") is None
    now = 10.0
    assert cache.get(b"good") is None


@given(st.lists(st.tuples(st.sampled_from([b"apikey", b"authorization"]), st.binary())))
async def test_no_header_opens_or_raises(lines: Lines) -> None:
    unknown = Source(Answer(errors.INVALID_CREDENTIALS))
    for keys in (False, True):
        assert isinstance(await settled(credentials(unknown, keys=keys), *lines), Refused)
