"""What `[[api]]` may say."""

from __future__ import annotations

import pytest

from gatewaylog.gateway.config import api_label
from tests.gateway.configured import api, problem, problems, read


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/", "/"),
        ("/echo/1.0.0", "/echo/1.0.0"),
        ("/%65cho/%7e", "/echo/~"),
        ("/a%2fb", "/a%2Fb"),
        ("/käse", "/k%C3%A4se"),
        ("/k%c3%a4se", "/k%C3%A4se"),
        ("/a;b=1,c@d", "/a;b=1,c@d"),
    ],
)
def test_a_context_is_kept_in_its_compared_form(written: str, expected: str) -> None:
    assert read(api(context=f'"{written}"')).api[0].context == expected


@pytest.mark.parametrize(
    "written",
    ["", "echo", "/echo/", "//", "//a", "/a//b", "/a/../b", "/.", "/%2e%2E", "/a?b", "/a#b", "/a b",
     "/a\\\\b", "/a%zz", "/a%00", "/a%5Cb", "/{a}", "/a\\u0000", '/a\\"', "http://h/a", "/a|b"],
)  # fmt: skip
def test_what_is_no_context_is_refused(written: str) -> None:
    assert problem(api(context=f'"{written}"')).startswith("api[0].context: must ")


@pytest.mark.parametrize("key", ["name", "provider", "version"])
@pytest.mark.parametrize("written", ["a b", 'a\\"', "a'", "a\\t", "\\u2028", "\\u00a0", "\\u202e"])
def test_parts_of_the_label_can_not_break_the_log(key: str, written: str) -> None:
    assert problem(api(**{key: f'"{written}"'})) == (
        f"api[0].{key}: must be text without spaces, quotes and control characters"
    )


def test_labels_follow_the_contract() -> None:
    assert api_label("Echo") == "Echo"
    assert api_label("Echo", provider="lzelus", version="1.0.0") == "lzelus--Echo:v1.0.0"
    assert api_label("Echo", version="v2.0") == "Echo:vv2.0"
    assert api_label("Echo", provider="p", version="1", default_version=True) == "p--Echo"
    given = api(provider='"p"', version='"1"', default_version="true")
    assert read(given).api[0].label == "p--Echo"


def test_contexts_and_labels_are_unique_in_their_compared_form() -> None:
    text = (
        api(version='"1"', context='"/a~"')
        + api(version='"1"', context='"/%61%7E"')
        + api(context='"/b"', version='"1"', provider='""')
        + api(context='"/a~/c"', version='"2"')
    )
    assert problems(text) == [
        "api[1].context: has the context of api[0].context: each needs its own",
        "api[1].name: makes the API label of api[0].name:"
        " give it another name, provider or version",
        "api[2].name: makes the API label of api[0].name:"
        " give it another name, provider or version",
    ]


def test_a_wrong_key_does_not_hide_a_clash() -> None:
    assert problems(api(zzzzz="1") + api(name='"B"')) == [
        next(line for line in problems(api(zzzzz="1"))),
        "api[1].context: has the context of api[0].context: each needs its own",
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://b", "http://b"),
        ("HTTP://B.Example:80/", "http://b.example"),
        ("https://b:443/a/", "https://b/a"),
        ("https://b:80/a%2Fb/%7e", "https://b:80/a%2Fb/%7e"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://my_service.local:1", "http://my_service.local:1"),
        ("http+unix://%2Frun%2Fb.sock/path", "http+unix://%2Frun%2Fb.sock/path"),
        ("http+unix://%2FRun%2Fb%20c.sock", "http+unix://%2FRun%2Fb%20c.sock"),
    ],
)
def test_backends_are_read(written: str, expected: str) -> None:
    (one,) = read(api(backend=f'"{written}"')).api[0].backend
    assert str(one) == expected
    assert read(api(backend=f'["{written}", "http://c"]')).api[0].backend[0] == one
    assert read(api(backend=f'"{expected}"')).api[0].backend == (one,)


@pytest.mark.parametrize(
    "written",
    ["", "b", "b:80", "//b", "ftp://b", "http:b", "http:///a", "http://", "http://u@b",
     "http://u:p@b", "http://b?", "http://b/?a", "http://b#", "http://b:0", "http://b:65536",
     "http://b:x", "http://b c", "http://[::1", "http://b/a/../c", "http://b/%zz", "http://b/a//b",
     "http://bücher", "http://b/\\n", "http+unix://run/b.sock", "http+unix:///run/b", "ws://b"],
)  # fmt: skip
def test_what_is_no_backend_is_refused(written: str) -> None:
    assert problem(api(backend=f'["http://a", "{written}"]')).startswith("api[0].backend[1]: must ")


def test_a_password_in_a_backend_is_refused_as_such() -> None:
    for url in ("http://u:p@b", "https://u@b", "http+unix://u@%2Frun%2Fb"):
        assert problem(api(backend=f'"{url}"')) == (
            "api[0].backend[0]: must not hold user-info (name:password@)"
        )


def test_further_keys_of_an_api_are_checked() -> None:
    wrong = {
        "backend": ("[]", "must have at least one item"),
        "balance": ("'random'", "must be one of 'round_robin' or 'failover'"),
        "suspend": ("0", "must be greater than 0"),
        "retries": ("-1", "must be at least 0"),
        "connect_timeout": ("0", "must be greater than 0"),
        "response_timeout": ("-1", "must be greater than 0"),
        "idle_timeout": ("'1'", "must be a number"),
        "blocked": ("'no'", "must be true or false"),
        "schemes": ("['ws']", ""),
        "verbosity": ("'all'", "must be one of 'off', 'errors' or 'events'"),
        "preserve_host": ("1", "must be true or false"),
        "tls_ca": ("'/no/such'", "must be a file that can be read"),
        "auth": ("'maybe'", "must be one of 'required' or 'none'"),
        "tls_verify": ("false", "unknown key"),
    }
    for key, (value, said) in wrong.items():
        line = problem(api(**{key: value}))
        assert line.startswith(f"api[0].{key}")
        assert said in line
    assert problem(api(schemes="[]")) == "api[0].schemes: must have at least one item"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/", "/"),
        ("/*", "/*"),
        ("/items/{id}/*", "/items/{id}/*"),
        ("/items/", "/items"),
        ("/%69tems/{a.b-c_1}", "/items/{a.b-c_1}"),
    ],
)
def test_resource_paths_are_kept_in_their_compared_form(written: str, expected: str) -> None:
    text = api(f"[[api.resource]]\npath = '{written}'\n")
    assert read(text).api[0].resource[0].path == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", 'must begin with "/"'),
        ("items", 'must begin with "/"'),
        ("/a//b", 'must begin with "/" and have no empty segment'),
        ("/a?b", "must be a path"),
        ("/a/../b", "must be a path"),
        ("/a/%2e", "must be a path"),
        ("/a b", "must be a path"),
        ("/{}", "must be a path"),
        ("/{a", "must be a path"),
        ("/{a b}", "must be a path"),
        ("/a{b}", "may have {name} only as whole segments"),
        ("/{a}{b}", "may have {name} only as whole segments"),
        ("/{a}/x/{a}", "must give each {name} another name"),
        ("/*/a", 'may have "*" only as its last segment'),
        ("/a*", 'may have "*" only as its last segment'),
        ("/**", 'may have "*" only as its last segment'),
        ("/{a}*", 'may have "*" only as its last segment'),
    ],
)
def test_what_is_no_resource_path_is_refused(written: str, said: str) -> None:
    line = problem(api(f"[[api.resource]]\npath = '{written}'\n"))
    assert line.startswith(f"api[0].resource[0].path: {said}")


def test_methods_and_scopes_of_a_resource_are_checked() -> None:
    wrong = {
        "methods = ['get']": "methods[0]: must be a method in upper case",
        "methods = ['G T']": "methods[0]: must be letters",
        "methods = ['GET', 'GET']": "methods: must not name anything twice",
        "scopes = ['a b']": "scopes[0]: must be visible ASCII",
        "auth = 'optional'": "auth: must be one of",
    }
    for key, said in wrong.items():
        line = problem(api(f"[[api.resource]]\npath = '/'\n{key}\n"))
        assert line.startswith(f"api[0].resource[0].{said}")


def test_scopes_where_no_credential_is_asked_for_are_refused() -> None:
    line = "api[0].resource: [0] has scopes, but auth is none: nobody would be asked for them"
    scoped = "[[api.resource]]\npath = '/'\nscopes = ['a']\n"
    assert problem(api(scoped, auth="'none'")) == line
    assert problem(api(scoped + "auth = 'none'\n")) == line
    assert read(api(scoped + "auth = 'required'\n", auth="'none'")).api[0].resource[0].scopes


def test_resources_of_one_shape_need_different_methods() -> None:
    def resources(*paths: tuple[str, str]) -> str:
        return api(
            "".join(
                f"[[api.resource]]\npath='{path}'\nmethods={methods}\n" for path, methods in paths
            )
        )

    clash = (
        "api[0].resource[1]: matches the same paths and methods as api[0].resource[0]:"
        " give it other methods, or another path"
    )
    assert problem(resources(("/a/{b}", "['GET']"), ("/%61/{c}", "['PUT', 'GET']"))) == clash
    assert problem(resources(("/a/*", "[]"), ("/a/*", "['PUT']"))) == clash
    assert problem(resources(("/a", "[]"), ("/a/", "[]"))) == clash
    good = resources(("/a/{b}", "['GET']"), ("/a/{b}", "['PUT']"), ("/a/b", "['GET']"))
    assert len(read(good).api[0].resource) == 3


def test_cors_has_sensible_defaults() -> None:
    cors = read(api("[api.cors]\norigins = 'HTTPS://App.example.edu:443'\n")).api[0].cors
    assert cors is not None
    assert cors.origins == ("https://app.example.edu",)
    assert "DELETE" in cors.methods
    assert "authorization" in cors.headers
    assert (cors.credentials, cors.max_age, cors.expose_headers) == (False, 600, ())


@pytest.mark.parametrize(
    "origin", ["", "app.example.edu", "https://a/", "https://a/b", "null", "https://*.a", "http://"]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    assert problem(api(f"[api.cors]\norigins = ['{origin}']\n")).startswith(
        'api[0].cors.origins[0]: must be "*" or an origin'
    )


def test_everyone_with_credentials_is_refused() -> None:
    assert "api[0].cors.credentials: can't be true with the origin" in problem(
        api("[api.cors]\norigins = ['*']\ncredentials = true\n")
    )
    assert 'with "*" in expose_headers' in problem(
        api("[api.cors]\norigins = ['http://a']\nexpose_headers=['*']\ncredentials = true\n")
    )
