"""Which API a path means, and what is made of its configuration."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.gateway.apis import Api, ApiTable, api
from gatewaylog.gateway.backends import tls_context
from gatewaylog.gateway.config import parse
from gatewaylog.gateway.paths import unroutable
from gatewaylog.gateway.resources import MethodNotAllowed, Resource
from gatewaylog.gateway.upstream import Timeouts
from tests.gateway.slow_paths import slowly_normalised

if TYPE_CHECKING:
    from pathlib import Path


def table(*contexts: str) -> ApiTable:
    return ApiTable(
        Api(label=context, context=context.rstrip("/").encode(), backends=())
        for context in contexts
    )


def found(apis: ApiTable, path: bytes) -> tuple[str, bytes] | None:
    route = apis.find(path)
    return (route.api.label, route.rest) if route else None


def test_the_longest_context_of_whole_segments_wins() -> None:
    apis = table("/echo/1.0.0", "/echo", "/echo/1.0.0/deep/er")
    assert found(apis, b"/echo/1.0.0") == ("/echo/1.0.0", b"")
    assert found(apis, b"/echo/1.0.0/x") == ("/echo/1.0.0", b"/x")
    assert found(apis, b"/echo/1.0.0/") == ("/echo/1.0.0", b"/")
    assert found(apis, b"/echo/1.0.01") == ("/echo", b"/1.0.01")
    assert found(apis, b"/echo/1.0.0/deep") == ("/echo/1.0.0", b"/deep")
    assert found(apis, b"/echo/1.0.0/deep/er//x") == ("/echo/1.0.0/deep/er", b"//x")
    assert found(apis, b"/echox") is None
    assert found(apis, b"//echo") is None
    assert found(apis, b"/ECHO") is None
    assert found(apis, b"/") is None


def test_the_root_takes_what_no_other_context_matches() -> None:
    apis = table("/", "/a/b")
    assert found(apis, b"/") == ("/", b"/")
    assert found(apis, b"/a") == ("/", b"/a")
    assert found(apis, b"/a/bc") == ("/", b"/a/bc")
    assert found(apis, b"/a/b") == ("/a/b", b"")
    assert found(apis, b"*") is None
    assert found(apis, b"") is None


def test_the_rest_is_what_the_client_sent() -> None:
    apis = table("/echo/~x", "/a%2Fb", "/k%C3%A4se", "/")
    assert found(apis, b"/%65cho/%7ex/%7E%2f//?%zz") == ("/echo/~x", b"/%7E%2f//?%zz")
    assert found(apis, b"/%65cho/%7Ex") == ("/echo/~x", b"")
    assert found(apis, b"/a%2fb/c") == ("/a%2Fb", b"/c")
    assert found(apis, b"/a/b/c") == ("/", b"/a/b/c")
    assert found(apis, b"/k\xc3\xa4se/\xc3\xa4") == ("/k%C3%A4se", b"/\xc3\xa4")
    assert found(apis, b"/%zz/%61") == ("/", b"/%zz/%61")


def test_a_route_has_its_rest_in_the_compared_form_too() -> None:
    route = table("/echo").find(b"/%65cho/%69tems/\xc3\xa4")
    assert route is not None
    assert (route.rest, route.path) == (b"/%69tems/\xc3\xa4", b"/items/%C3%A4")


def test_an_api_is_identified_by_its_context_where_the_rest_is_not_routed() -> None:
    apis = table("/echo")
    for path in (b"/echo/../x", b"/echo/%zz", b"/echo/a\\b", b"/echo/\0"):
        assert unroutable(path)
        assert found(apis, path) == ("/echo", path[5:])


SEGMENT = st.sampled_from(["a", "b", "%2F", "~", "1.0", "%C3%A4"])
CONTEXT = st.lists(SEGMENT, max_size=4).map(lambda segments: "/" + "/".join(segments))
SENT = st.sampled_from(
    [b"a", b"b", b"%61", b"%62", b"%2f", b"%2F", b"~", b"%7e", b"1.0", b"1%2E0", b"\xc3\xa4",
     b"%c3%a4", b"c", b""]
)  # fmt: skip


@given(
    st.lists(CONTEXT, unique=True, max_size=8),
    st.lists(SENT, max_size=6).map(lambda segments: b"/" + b"/".join(segments)),
)
def test_matching_is_the_obvious_one(contexts: list[str], path: bytes) -> None:
    sent = path.split(b"/")[1:]
    best: tuple[int, tuple[str, bytes]] | None = None
    for context in contexts:
        own = [segment for segment in context.encode().split(b"/") if segment]
        alike = [slowly_normalised(segment) for segment in sent[: len(own)]] == own
        if alike and (best is None or len(own) > best[0]):
            rest = b"".join(b"/" + segment for segment in sent[len(own) :])
            best = len(own), (context, rest)
    assert found(table(*contexts), path) == (best[1] if best else None)


def one(text: str) -> Api:
    tables = {"name": "Echo", "context": "/echo", "backend": "http://b:81/x"}
    import tomllib

    config = parse({"api": [tables | tomllib.loads(text)]}, file="f", environ={})
    return api(config.api[0])


def test_an_api_has_all_that_a_request_needs() -> None:
    made = one(
        """
        provider = "p"
        version = "1"
        context = "/%65cho"
        backend = ["http://b:81/x/", "https://[::1]", "http+unix://%2Frun%2Fb.sock/y"]
        balance = "failover"
        suspend = 3
        retries = 2
        connect_timeout = 1
        response_timeout = 2.5
        idle_timeout = 3
        blocked = true
        schemes = ["https"]
        verbosity = "errors"
        preserve_host = true
        cors = {origins = ["https://a"]}
        """
    )
    assert (made.label, made.context, made.balance) == ("p--Echo:v1", b"/echo", "failover")
    assert (made.suspend, made.retries, made.blocked) == (3.0, 2, True)
    assert (made.schemes, made.verbosity, made.preserve_host) == (
        frozenset({"https"}),
        "errors",
        True,
    )
    assert made.timeouts == Timeouts(connect=1.0, response=2.5, idle=3.0)
    assert made.cors is not None
    plain, secure, local = made.backends
    assert (plain.url, plain.path, plain.host) == ("http://b:81/x", b"/x", b"b:81")
    assert (plain.origin.host, plain.origin.port, plain.origin.tls) == ("b", 81, None)
    assert (secure.url, secure.path, secure.host) == ("https://[::1]", b"", b"[::1]")
    assert (secure.origin.host, secure.origin.port) == ("::1", 443)
    assert (local.url, local.path) == ("http+unix://%2Frun%2Fb.sock/y", b"/y")
    assert (local.origin.unix_path, local.host) == ("/run/b.sock", b"localhost")


def test_the_root_context_takes_every_path() -> None:
    made = one('context = "/"')
    assert ApiTable([made]).find(b"/x") == (made, b"/x", b"/x")


def test_an_api_without_resources_takes_every_path_and_needs_a_credential() -> None:
    answer = one("").resource(b"/any", "BREW")
    assert isinstance(answer, Resource)
    assert answer.auth_required
    answer = one('auth = "none"').resource(b"/any", "BREW")
    assert isinstance(answer, Resource)
    assert not answer.auth_required


def test_resources_inherit_the_auth_of_their_api() -> None:
    made = one(
        """
        auth = "none"
        resource = [
          {path = "/open"},
          {path = "/%63losed", auth = "required", scopes = ["a", "b"], methods = ["GET"]},
        ]
        """
    )
    opened, closed = made.resource(b"/open", "PUT"), made.resource(b"/closed", "GET")
    assert isinstance(opened, Resource)
    assert isinstance(closed, Resource)
    assert not opened.auth_required
    assert closed.auth_required
    assert closed.scopes == {"a", "b"}
    assert isinstance(made.resource(b"/closed", "PUT"), MethodNotAllowed)
    closed = one('resource = [{path = "/*"}]').resource(b"/any", "GET")
    assert isinstance(closed, Resource)
    assert closed.auth_required
    assert made.resource(b"/other", "GET") is None


def test_backends_are_always_verified(tmp_path: Path) -> None:
    (system,) = one('backend = "https://b"').backends
    assert system.origin.tls is not None
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    (private,) = one(f'backend = "https://b"\ntls_ca = "{authority}"').backends
    assert private.origin.tls is not None
    for context in (system.origin.tls, private.origin.tls):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    assert len(private.origin.tls.get_ca_certs()) == 1


def test_a_reload_keeps_a_tls_context_until_its_authority_changes(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    first = tls_context(str(authority))
    assert tls_context(str(authority)) is first
    trustme.CA().cert_pem.write_to_path(authority)
    assert tls_context(str(authority)) is not first
    assert tls_context() is tls_context()
