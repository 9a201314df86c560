"""The CORS protocol of the Fetch standard."""

from __future__ import annotations

import pytest

from gatewaylog.gateway.config import CorsConfig
from gatewaylog.gateway.cors import (
    Headers,
    cors_policy,
    is_preflight,
    preflight_headers,
    response_headers,
)

HERE, ELSEWHERE = b"https://app.example.edu", b"https://evil.example"
ASKS = [
    (b"origin", HERE),
    (b"access-control-request-method", b"PUT"),
    (b"access-control-request-headers", b"x-a,x-b"),
]
NAMED = cors_policy(CorsConfig(origins=(HERE.decode(), "http://other")))
EVERYONE = cors_policy(CorsConfig(origins=("*",)))


def origin(value: bytes) -> Headers:
    return [(b"host", b"h"), (b"origin", value)]


def test_a_preflight_is_options_with_origin_and_request_method() -> None:
    assert is_preflight("OPTIONS", ASKS)
    assert not is_preflight("GET", ASKS)
    assert not is_preflight("OPTIONS", ASKS[:1])
    assert not is_preflight("OPTIONS", ASKS[1:])
    assert not is_preflight("options", ASKS)


def test_a_preflight_from_an_allowed_origin_is_told_what_is_allowed() -> None:
    policy = cors_policy(
        CorsConfig(
            origins=(HERE.decode(),),
            methods=("GET", "PUT"),
            headers=("x-a",),
            credentials=True,
            max_age=5,
            expose_headers=("x-c",),
        )
    )
    assert preflight_headers(policy, ASKS) == [
        (b"vary", b"Origin"),
        (b"access-control-allow-origin", HERE),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-allow-methods", b"GET, PUT"),
        (b"access-control-allow-headers", b"x-a"),
        (b"access-control-max-age", b"5"),
    ]


@pytest.mark.parametrize(
    "sent",
    [
        origin(ELSEWHERE),
        origin(HERE + b".evil.example"),
        origin(HERE.upper()),
        origin(b"null"),
        [(b"origin", HERE), (b"origin", HERE)],
        [],
    ],
)
def test_other_origins_get_only_vary(sent: Headers) -> None:
    assert preflight_headers(NAMED, sent + ASKS[1:]) == [(b"vary", b"Origin")]
    assert response_headers(NAMED, sent) == [(b"vary", b"Origin")]


def test_every_origin_is_answered_alike_so_that_caches_may_share() -> None:
    assert response_headers(EVERYONE, origin(ELSEWHERE)) == [(b"access-control-allow-origin", b"*")]
    assert response_headers(EVERYONE, []) == []
    assert (b"access-control-allow-origin", b"*") in preflight_headers(EVERYONE, ASKS)


def test_an_answer_names_its_origin_and_what_pages_may_read() -> None:
    policy = cors_policy(
        CorsConfig(
            origins=(HERE.decode(),), credentials=True, expose_headers=("x-c", "x-d"), max_age=5
        )
    )
    assert response_headers(policy, origin(HERE)) == [
        (b"vary", b"Origin"),
        (b"access-control-allow-origin", HERE),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"x-c, x-d"),
    ]


def test_without_credentials_no_header_speaks_of_them() -> None:
    names = {name for name, _ in response_headers(NAMED, origin(HERE))}
    assert names == {b"vary", b"access-control-allow-origin"}


def test_a_star_in_methods_and_headers_allows_what_is_asked_for() -> None:
    policy = cors_policy(CorsConfig(origins=("*",), methods=("*",), headers=("*",)))
    answer = preflight_headers(policy, ASKS)
    assert (b"access-control-allow-methods", b"PUT") in answer
    assert (b"access-control-allow-headers", b"x-a,x-b") in answer


def test_what_is_no_list_of_names_is_not_repeated() -> None:
    policy = cors_policy(CorsConfig(origins=("*",), methods=("*",), headers=("*",)))
    asks = [
        (b"origin", HERE),
        (b"access-control-request-method", b"P UT"),
        (b"access-control-request-headers", b"x-a, <b>"),
    ]
    names = {name for name, _ in preflight_headers(policy, asks)}
    assert names == {b"access-control-allow-origin", b"access-control-max-age"}
