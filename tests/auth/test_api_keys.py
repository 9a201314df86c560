"""API keys: where they are read, what they open, what is said of the others."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewaylog import errors
from gatewaylog.auth.api_keys import ApiKeys, Granted, Refused, new_key
from gatewaylog.auth.applications import Application

LABEL = "lzelus--Echo:v1.0.0"


def kept(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


# The same in every process: tests are named after them.
KEY, OTHER_KEY = "the-first-key-of-256-bits", "another-key-of-256-bits"
KEPT, OTHER_KEPT = kept(KEY), kept(OTHER_KEY)
GOOD_BASIC = base64.b64encode(f"mobile:{KEY}".encode())
KEYS = ApiKeys(
    [
        Application(
            name="mobile",
            owner="lzelus",
            subscriptions=frozenset({LABEL}),
            keys=frozenset({KEPT}),
            scopes=frozenset({"items.read", "items.list"}),
        ),
        Application(
            name="Büro",
            owner="amy",
            subscriptions=frozenset({"*"}),
            keys=frozenset({OTHER_KEPT}),
        ),
    ]
)
Headers = list[tuple[bytes, bytes]]


def basic(text: str | bytes, scheme: bytes = b"Basic") -> tuple[bytes, bytes]:
    raw = text.encode() if isinstance(text, str) else text
    return b"authorization", scheme + b" " + base64.b64encode(raw)


def refused(*headers: tuple[bytes, bytes], label: str = LABEL) -> Refused:
    answer = KEYS.check([(b"host", b"h"), *headers], label=label)
    assert isinstance(answer, Refused)
    return answer


@pytest.mark.parametrize(
    ("line", "consumed"),
    [
        ((b"apikey", KEY.encode()), b"apikey"),
        ((b"x-api-key", KEY.encode()), b"x-api-key"),
        (basic(f"{KEY}:"), b"authorization"),
        (basic(f"mobile:{KEY}"), b"authorization"),
        (basic(f"{KEY}:", b"bAsIc "), b"authorization"),
    ],
)
def test_a_good_key_is_found_in_each_of_its_places(
    line: tuple[bytes, bytes], consumed: bytes
) -> None:
    answer = KEYS.check([(b"accept", b"*/*"), line, (b"host", b"h")], label=LABEL)
    assert answer == Granted(
        application="mobile", owner="lzelus", credential=KEY.encode(), consumed=(consumed,)
    )


def test_a_name_beyond_ascii_is_compared_as_utf_8() -> None:
    answer = KEYS.check([basic(f"Büro:{OTHER_KEY}")], label="any")
    assert isinstance(answer, Granted)
    assert answer.owner == "amy"


def test_no_credential_is_missing() -> None:
    assert refused() == Refused(failure=errors.MISSING_CREDENTIALS)


@pytest.mark.parametrize(
    ("line", "credential"),
    [
        ((b"apikey", b"wrong"), b"wrong"),
        ((b"apikey", b""), None),
        ((b"apikey", KEY.encode() + b" "), KEY.encode() + b" "),
        ((b"apikey", KEPT.encode()), KEPT.encode()),
        ((b"apikey", hashlib.sha256(KEY.encode()).digest()), None),
        (basic("wrong:"), b"wrong"),
        (basic(f"other:{KEY}"), KEY.encode()),
        (basic(f"Büro:{KEY}"), KEY.encode()),
        (basic(f":{KEY}"), KEY.encode()),
        (basic(f"{KEY}:x"), b"x"),
        (basic(":"), base64.b64encode(b":")),
        (basic(KEY), base64.b64encode(KEY.encode())),
        ((b"authorization", b"Basic !!!"), b"!!!"),
        ((b"authorization", b"Basic !" + GOOD_BASIC), b"!" + GOOD_BASIC),
        ((b"authorization", b"Basic " + GOOD_BASIC + b" x"), GOOD_BASIC + b" x"),
        ((b"authorization", b"Basic YTo"), b"YTo"),
        ((b"authorization", b"Basic"), None),
        ((b"authorization", b""), None),
        ((b"authorization", b"Bearer"), None),
    ],
)
def test_an_unknown_or_malformed_key_is_invalid(
    line: tuple[bytes, bytes], credential: bytes | None
) -> None:
    answer = refused(line)
    assert answer.failure is errors.INVALID_CREDENTIALS
    assert answer.credential == (credential or line[1] or None) or answer.credential is credential


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"Digest", b"Basicx"])
def test_another_scheme_is_the_wrong_type(scheme: bytes) -> None:
    answer = refused((b"authorization", scheme + b" abc.def"))
    assert answer == Refused(failure=errors.WRONG_CREDENTIAL_TYPE, credential=b"abc.def")


@pytest.mark.parametrize(
    "lines",
    [
        [(b"apikey", KEY.encode()), (b"apikey", KEY.encode())],
        [(b"apikey", KEY.encode()), (b"x-api-key", OTHER_KEY.encode())],
        [(b"apikey", KEY.encode()), basic(f"{KEY}:")],
        [basic(f"{KEY}:"), (b"apikey", KEY.encode())],
        [basic(f"{KEY}:"), basic(f"{KEY}:")],
        [basic(f"{KEY}:"), (b"authorization", b"Bearer x")],
        [(b"authorization", b"Bearer x"), basic(f"{KEY}:")],
        [(b"apikey", KEY.encode()), (b"authorization", b"a b"), (b"authorization", b"a b")],
    ],
)
def test_more_than_one_credential_is_invalid(lines: Headers) -> None:
    answer = refused(*lines)
    assert answer.failure is errors.INVALID_CREDENTIALS
    assert answer.credential is not None


def test_a_bearer_token_beside_a_key_is_left_to_the_backend() -> None:
    headers = [(b"authorization", b"Bearer x"), (b"apikey", KEY.encode())]
    answer = KEYS.check(headers, label=LABEL)
    assert isinstance(answer, Granted)
    assert answer.consumed == (b"apikey",)


def test_without_a_subscription_the_api_is_forbidden() -> None:
    answer = refused((b"apikey", KEY.encode()), label="lzelus--Echo")
    assert answer == Refused(
        failure=errors.NOT_SUBSCRIBED,
        credential=KEY.encode(),
        application="mobile",
        owner="lzelus",
    )


def test_one_of_the_scopes_of_the_resource_is_enough() -> None:
    header = [(b"apikey", KEY.encode())]

    def failure(*scopes: str) -> errors.Failure | None:
        answer = KEYS.check(header, label=LABEL, scopes=frozenset(scopes))
        return answer.failure if isinstance(answer, Refused) else None

    assert failure() is None
    assert failure("items.read", "items.write") is None
    assert failure("items.write") is errors.SCOPE_MISSING
    wrong = KEYS.check(header, label=LABEL, scopes=frozenset({"x"}))
    assert wrong.credential == KEY.encode()
    assert KEYS.check(header, label="no", scopes=frozenset({"x"})) == refused(
        (b"apikey", KEY.encode()), label="no"
    )


@given(st.lists(st.tuples(st.sampled_from([b"apikey", b"authorization"]), st.binary())))
def test_no_header_opens_or_raises(headers: Headers) -> None:
    assert isinstance(KEYS.check(headers, label=LABEL), Refused)


@given(st.binary())
def test_no_basic_credential_opens_or_raises(content: bytes) -> None:
    assert isinstance(KEYS.check([basic(content)], label=LABEL), Refused)


def test_the_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr("hmac.compare_digest", compare)
    digest = hashlib.sha256(KEY.encode()).digest()
    assert refused((b"apikey", KEY.encode())).failure is errors.INVALID_CREDENTIALS
    assert compared == [(digest, digest)]


def test_a_new_key_is_random_and_kept_as_its_hash() -> None:
    key, kept = new_key()
    assert kept == "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    assert len(base64.urlsafe_b64decode(key + "=")) == 32
    assert new_key()[0] != key


def test_credentials_load_neither_the_gateway_nor_pydantic() -> None:
    code = (
        "import sys, gatewaylog.auth.api_keys\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('pydantic', 'httpx')"
        " or name.startswith('gatewaylog.gateway')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
