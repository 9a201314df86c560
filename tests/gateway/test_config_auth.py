"""`[auth]`, `[[throttle]]` and `[database]`: what is said of mistakes in them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from gatewaylog.auth.throttle import Limit
from tests.auth.issuers import KEY_SET
from tests.gateway.configured import api, problem, problems, read

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0" * 64
APPLICATION = '[[application]]\nname = "a"\nowner = "b"\n'
JWT = '[auth.jwt]\nissuer = "i"\naudience = "a"\njwks = "https://k/j"\n'
INTROSPECTION = '[auth.introspection]\nurl = "https://k/i"\nclient_id = "c"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[auth]\naccept = ['jwt']", "auth.jwt: must be given: accept names it"),
        (
            "[auth]\naccept = ['introspection']",
            "auth.introspection: must be given: accept names it",
        ),
        ("[auth]\naccept = ['jwt', 'jwt']\n" + JWT, "auth.accept: must not name anything twice"),
        ("[auth]\ntoken_cache = -1", "auth.token_cache: must be at least 0"),
        ("[auth]\ntoken_lifetime = 1", "auth.token_lifetime: must be at least 10"),
        ("[auth]\ntoken_limit = 0", "auth.token_limit: must be at least 1"),
        ("[auth]\ntoken_path = 'oauth'", 'auth.token_path: must begin with "/", have no empty'),
        ("[auth]\ntoken_lifetimes = 1", "unknown key; did you mean token_lifetime?"),
        (
            JWT + "algorithms = ['HS256']",
            "auth.jwt.algorithms[0]: must be one of 'RS256', 'RS384'",
        ),
        (JWT + "algorithms = ['none']", "auth.jwt.algorithms[0]: must be one of 'RS256'"),
        (
            JWT.replace('audience = "a"', "audience = []"),
            "auth.jwt.audience: must have at least one item",
        ),
        (JWT.replace("https://k/j", "https://u@k/j"), "auth.jwt.jwks: must not hold user-info"),
        (JWT.replace("https://k/j", "https://k/j#x"), "auth.jwt.jwks: must not hold a query"),
        (JWT.replace("https://k/j", "https://k/j?x=#"), "auth.jwt.jwks: must be a URL of visible"),
        (JWT.replace("https://k/j", "/nowhere"), "auth.jwt.jwks: must be a file that can be read"),
        (JWT.replace("https://k/j", "/dev/null"), "auth.jwt.jwks: must be a JSON Web Key Set"),
        (
            INTROSPECTION,
            "auth.introspection.client_secret_file: give either client_secret or",
        ),
        (
            INTROSPECTION + 'client_secret = "x"\nclient_secret_file = "/dev/null"',
            "auth.introspection.client_secret_file: give either client_secret or",
        ),
        (
            INTROSPECTION + 'client_secret_file = "/nowhere"',
            "auth.introspection.client_secret_file: must be a file that can be read",
        ),
        (
            INTROSPECTION + 'client_secret = "${UNSET}"',
            "auth.introspection.client_secret: the environment variable UNSET is not set",
        ),
        (
            INTROSPECTION.replace("https", "ftp") + 'client_secret = "x"',
            "auth.introspection.url: must begin with http://",
        ),
        (
            APPLICATION + f'client_secret = "{DIGEST}"',
            "application[0].client_secret: needs a client_id",
        ),
        (
            APPLICATION + 'client_id = "c"\nclient_secret = "plain"',
            'application[0].client_secret: must be "sha256:" and 64 hex digits',
        ),
        (
            APPLICATION + f'client_id = "{"c" * 256}"',
            "application[0].client_id: must be at most 255 printable characters",
        ),
        (
            APPLICATION
            + 'client_id = "c"\n'
            + APPLICATION.replace('"a"', '"x"')
            + 'client_id = "c"',
            "application[1].client_id: is the client_id of application[0].client_id",
        ),
        (APPLICATION + 'suspended = ["x"]', "application[0].suspended[0]: is no API's label"),
        ('[database]\nurl = "mysql://h/x"', 'database.url: must be a URL like "sqlite:///'),
        ('[database]\nurl = "sqlite:///"', 'database.url: must be a URL like "sqlite:///'),
        ("[database]\nmax_active = -1", "database.max_active: must be at least 0"),
        ("[database]\nmax_wait = -2", "database.max_wait: must be at least -1"),
        ("[database]\nmax_active = 3\nmin_idle = 4", "min_idle: must be at most max_active"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(text: str, expected: str) -> None:
    assert expected in problem(text)


def throttle(**values: str) -> str:
    keys = {"per": '"api"', "rate": '"5/minute"'} | values
    return "[[throttle]]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (throttle(per='"caller"'), "throttle[0].per: must be one of 'api', 'resource',"),
        (throttle(rate='"5"'), 'throttle[0].rate: must be a rate like "100/minute"'),
        (throttle(rate='"0/minute"'), 'throttle[0].rate: must be a rate like "100/minute"'),
        (throttle(rate='"5/week"'), 'throttle[0].rate: must be a rate like "100/minute"'),
        (throttle(burst="-1"), "throttle[0].burst: must be at least 0"),
        (throttle(api='"x"'), "throttle[0].api: is no API's label"),
        (throttle(application='"a"'), "throttle[0].application: chooses nothing of a limit per"),
        (
            throttle(per='"application"', application='"x"'),
            "throttle[0].application: is no application's name; known are a",
        ),
        (throttle(per='"resource"', resource='"/x"'), "throttle[0].resource: needs api"),
        (
            throttle(per='"resource"', api='"Echo"', resource='"x"'),
            'throttle[0].resource: must begin with "/"',
        ),
        (throttle(store='"http://x"'), 'throttle[0].store: must be a URL like "redis://'),
    ],
)
def test_a_limit_is_about_something_that_is_there(table: str, expected: str) -> None:
    assert expected in problem(api() + APPLICATION + table)


def test_a_rate_is_calls_in_a_time_and_a_burst() -> None:
    text = api() + throttle(rate='"100/hour"', api='"Echo"') + throttle(burst="7")
    first, second = (table.limit() for table in read(text).throttle)
    assert first == Limit(per="api", amount=100, seconds=3600, burst=100, api="Echo")
    assert (first.interval, second.burst) == (36_000_000, 7)


def test_no_secret_is_shown_of_a_configuration() -> None:
    text = (
        INTROSPECTION
        + 'client_secret = "s3cret"\n[database]\nurl = "postgresql://u:s3cret@h/x"\n'
        + throttle(store='"redis://:s3cret@h"')
    )
    assert "s3cret" not in repr(read(text))
    wrong = text.replace("redis:", "http:").replace("postgresql:", "mysql:")
    assert len(problems(wrong)) == 2
    assert "s3cret" not in "".join(problems(wrong))


@pytest.mark.parametrize("context", ["/oauth", "/oauth/x", "/%6Fauth"])
def test_no_api_hides_the_token_endpoint(context: str) -> None:
    table = api(context=f'"{context}"')
    accepting = "[auth]\naccept = ['tokens']\n"
    told = "is where the token endpoint is: give the API another, or auth.token_path"
    assert problem(accepting + table) == f"api[0].context: {told}"
    read(table)
    read(accepting + "token_path = '/else'\n" + table)
    read(accepting + api(context='"/oauths"') + api(name='"Root"', context='"/"'))


@pytest.mark.parametrize(
    ("text", "module", "told"),
    [
        ("[auth]\naccept = ['tokens']", "sqlalchemy", "auth.accept: needs {}[auth]'"),
        ("[auth]\naccept = ['jwt']\n" + JWT, "joserfc", "auth.accept: needs {}[auth]'"),
        (throttle(store='"redis://h"'), "redis", "throttle[0].store: needs {}[auth]'"),
        (
            "[auth]\naccept = ['tokens']\n[database]\nurl = 'postgresql://h/x'",
            "psycopg",
            "database.url: needs {}[database]'",
        ),
        (
            "[database]\napplications = true",
            "gatewaylog.audit.application_store",
            "database.applications: needs {}[auth]'",
        ),
        (
            "[database]\napplications = true\nurl = 'postgresql://h/x'",
            "psycopg",
            "database.url: needs {}[database]'",
        ),
    ],
)
def test_what_is_not_installed_is_named_by_its_extra(
    monkeypatch: pytest.MonkeyPatch, text: str, module: str, told: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert problem(text) == told.format("pip install 'gatewaylog")


def test_a_limit_may_be_about_an_application_in_the_database() -> None:
    text = throttle(per='"application"', application='"shop"')
    assert "is no application's name" in problem(text)
    read(text + "[database]\napplications = true\n")
    assert "is no application's name" in problem(text + "[database]\napplications = false\n")


def test_a_file_of_keys_and_a_file_with_a_secret_are_read(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(KEY_SET)
    (tmp_path / "secret").write_text("s3cret\n")
    text = JWT.replace("https://k/j", f"{tmp_path}/keys.json") + INTROSPECTION
    config = read(text + f'client_secret_file = "{tmp_path}/secret"')
    assert config.auth.introspection is not None
    assert config.auth.introspection.secret() == "s3cret"


def test_the_database_lies_beside_the_configuration() -> None:
    config = read("")
    assert config.database.url.endswith("/gatewaylog.db")
    assert read('[database]\nurl = "sqlite:////a/b.db"').database.url == "sqlite:////a/b.db"
    assert read('[database]\nurl = "postgresql://h/x"').database.url == "postgresql://h/x"
