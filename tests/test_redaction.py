"""What must not stand in a log."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog.redaction import REDACTED, SECRET_PARAMETERS, Pseudonyms, Redactor

redact = Redactor().url


@pytest.mark.parametrize("name", SECRET_PARAMETERS)
def test_the_value_of_each_secret_parameter_is_replaced(name: str) -> None:
    assert redact(f"/a?x=1&{name}=s3cret&y=2") == f"/a?x=1&{name}=REDACTED&y=2"


def test_the_default_list_is_the_specifications() -> None:
    assert (
        *("access_token", "token", "api_key", "apikey", "key", "password", "client_secret"),
        *("code", "sig", "signature", "X-Amz-Signature", "X-Amz-Security-Token"),
    ) == SECRET_PARAMETERS


@pytest.mark.parametrize(
    "query",
    [
        "TOKEN=s",
        "tOkEn=s",
        "x-amz-signature=s",
        "%74oken=s",
        "%2574oken=s",
        "%25252574oken=s",
        "to%6Ben=s",
        "token%20=s",
        "+token=s",
        "token[]=s",
        "token%5B%5D=s",
        "token[a]=s",
        "token=",
        "token=a=s",
        "token=s&token=s&token=s",
        "a=1;token=s",
        "a=1?token=s",
        "a=1#token=s",
        "a&&token=s&",
        "%2525252525252525253Da=s",
    ],
)
def test_no_way_to_write_a_name_saves_its_value(query: str) -> None:
    shown = redact(f"/p?{query}")
    assert "=s" not in shown.replace(REDACTED, "")
    assert REDACTED in shown


def test_a_token_behind_the_hash_is_replaced_where_there_is_no_query() -> None:
    assert redact("/callback#access_token=s&state=1") == "/callback#access_token=REDACTED&state=1"


@pytest.mark.parametrize(
    "url",
    [
        "/a",
        "/a?",
        "/a?b",
        "/a?token",
        "/a?b=c&d=e;f==&&",
        "/token=a/b",
        "/a?tokens=1&mytoken=2&keys=3&xcode=4",
        "/a?%zz=1&%=2&b=%3Ftoken",
        "/a?user=x@y.z",
        "//a.b?x=1",
        "https://api.example:8443/a?b=c",
        "*",
        "",
    ],
)
def test_all_else_stays_as_it_was(url: str) -> None:
    assert redact(url) == url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host/a", "https://host/a"),
        ("https://user@host:8443/a?token=x", "https://host:8443/a?token=REDACTED"),
        ("https://us@er:p@host/a@b", "https://host/a@b"),
        ("https://user:pass@host?q=@", "https://host?q=@"),
        ("https://host/a?to=b@c", "https://host/a?to=b@c"),
    ],
)
def test_user_info_is_never_kept(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_names_of_a_users_own_replace_the_default_ones() -> None:
    mine = Redactor(["SessionID"])
    assert mine.url("/?sessionid=1&token=2") == "/?sessionid=REDACTED&token=2"
    assert Redactor([]).url("/?token=2") == "/?token=2"


@given(st.text())
def test_nothing_makes_it_raise_and_twice_is_once(url: str) -> None:
    assert redact(redact(url)) == redact(url)
    assert redact("/?" + url + "&token=s3cr3t").endswith("token=REDACTED")


def test_a_pseudonym_is_an_hmac_of_the_value() -> None:
    pseudonyms = Pseudonyms("key")
    expected = hmac.new(b"key", b"lisa", hashlib.sha256).hexdigest()[:32]
    assert pseudonyms.of("lisa") == expected
    assert pseudonyms.of("lisb") != expected
    assert Pseudonyms("other").of("lisa") != expected


@given(st.text(st.characters()))
def test_every_text_has_a_pseudonym(value: str) -> None:
    assert len(Pseudonyms("key").of(value)) == 32


def test_a_token_ref_is_a_hash_or_with_a_key_an_hmac_of_the_hash() -> None:
    digest = hashlib.sha256(b"opaque")
    assert Pseudonyms().of_credential(b"opaque") == digest.hexdigest()[:32]
    expected = hmac.new(b"key", digest.digest(), hashlib.sha256).hexdigest()[:32]
    assert Pseudonyms("key").of_credential(b"opaque") == expected
