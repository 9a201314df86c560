"""Whose credential a TokenRef is: of an API key, of a token that was issued, by name, of nobody."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.application_store import DatabaseApplications
from gatewaylog.audit.issued import Issued
from gatewaylog.audit.registered import Registered, RegisteredKey
from gatewaylog.audit.store.clients import NOBODY, Application, Client, Clients, Known, known_of
from gatewaylog.audit.token_store import DatabaseTokens
from gatewaylog.exceptions import TokenStoreError
from gatewaylog.redaction import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.audit.store.conftest import Store

KEY = b"key-of-the-shop"
DIGEST = hashlib.sha256(KEY).hexdigest()
SHOP = Application(name="Shop", vendor="Acme", client_id="shop-1", keys=(f"sha256:{DIGEST}",))
BARE = Application(name="Bare")


def issue(url: str, *tokens: bytes, client: str = "shop-1", at: float = 1000.0) -> None:
    store = DatabaseTokens(url)
    for token in tokens:
        issued = Issued(
            digest=hashlib.sha256(token).digest(),
            client_id=client,
            scopes=frozenset(),
            issued_at=at,
            expires_at=at + 1800,
        )
        assert store.issue(issued, limit=10_000) is None
    store.close()


def learnt(known: Known, references: Iterable[str]) -> Clients:
    clients = Clients(known)
    clients.learn(references)
    return clients


@pytest.mark.parametrize("secret", ["", "a-pseudonym-key"])
def test_a_keys_client_is_told_by_the_begin_of_its_hash(secret: str) -> None:
    clients = Clients(Known(applications=(SHOP, BARE), pseudonym_key=secret))
    reference = Pseudonyms(secret).of_credential(KEY)
    assert clients.of(reference, None) == Client(f"key:{DIGEST[:8]}", "Shop", "Acme")


@pytest.mark.parametrize("secret", ["", "a-pseudonym-key"])
def test_a_tokens_client_is_who_it_was_issued_to(bare: Store, secret: str) -> None:
    issue(bare.url, b"t1", b"t2")
    issue(bare.url, b"t3", client="stranger")
    refs = [Pseudonyms(secret).of_credential(token) for token in (b"t1", b"t2", b"t3", b"t4")]
    clients = learnt(
        Known(applications=(SHOP,), pseudonym_key=secret, tokens=bare.url), [*refs, "no digits'"]
    )
    assert [clients.of(ref, None) for ref in refs] == [
        Client("shop-1", "Shop", "Acme"),
        Client("shop-1", "Shop", "Acme"),
        Client("stranger", None, None),
        NOBODY,
    ]


@pytest.mark.parametrize("secret", ["", "a-pseudonym-key"])
def test_a_token_that_was_issued_since_is_found(bare: Store, secret: str) -> None:
    first, second = (Pseudonyms(secret).of_credential(token) for token in (b"t1", b"t2"))
    issue(bare.url, b"t1")
    clients = learnt(Known(pseudonym_key=secret, tokens=bare.url), [first])
    issue(bare.url, b"t2", at=1001.0)
    clients.learn([first, second])
    assert [clients.of(ref, None).key for ref in (first, second)] == ["shop-1"] * 2


def test_many_are_looked_for_at_once(bare: Store) -> None:
    tokens = [f"t{number}".encode() for number in range(450)]
    issue(bare.url, *tokens)
    refs = [Pseudonyms("").of_credential(token) for token in tokens]
    clients = learnt(Known(tokens=bare.url), refs)
    assert {clients.of(ref, None).key for ref in refs} == {"shop-1"}


def test_what_is_remembered_is_bounded(bare: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatewaylog.audit.store.lookups._KEPT", 10)
    issue(bare.url, b"t1")
    clients = Clients(Known(tokens=bare.url))
    reference = Pseudonyms("").of_credential(b"t1")
    for number in range(50):
        clients.learn([f"{number:032x}"])
    clients.learn([reference])
    assert clients._lookups is not None
    assert len(clients._lookups._owners) == 10
    assert clients.of(reference, None).key == "shop-1"


def test_an_application_that_the_log_names_is_known_by_its_name() -> None:
    clients = Clients(Known(applications=(SHOP, BARE)))
    assert clients.of("00", "Shop") == Client("shop-1", "Shop", "Acme")
    assert clients.of("00", "Bare") == Client(None, "Bare", None)
    assert clients.of("00", "Gone") == Client(None, "Gone", None)
    assert clients.of("00", None) == NOBODY


def test_a_store_without_tokens_knows_none(store: Store) -> None:
    assert learnt(Known(tokens=store.url), ["00"]).of("00", None) == NOBODY


def test_tokens_that_are_not_ours_to_read_are_not_known(postgres: Store) -> None:
    issue(postgres.url, b"t1")
    url = postgres.url_as(postgres.login("gatewaylog_writer"))
    reference = Pseudonyms("").of_credential(b"t1")
    assert learnt(Known(tokens=url), [reference]).of(reference, None) == NOBODY


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    assert learnt(Known(tokens=url), ["00"]).of("00", None) == NOBODY
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_down_is_no_answer() -> None:
    clients = Clients(Known(tokens="postgresql://u:secret@127.0.0.1:1/x"))
    with pytest.raises(TokenStoreError) as told:
        clients.learn(["00"])
    assert "secret" not in str(told.value)


def test_what_is_known_goes_to_another_process_as_text() -> None:
    known = Known(applications=(SHOP, BARE), pseudonym_key="k", tokens="sqlite:///x.db")
    assert known_of(known.text()) == known
    assert known_of("") == Known()


@pytest.mark.parametrize("key", ["", "abc", f"sha256:{DIGEST}0", f"sha256:{DIGEST.upper()}"])
def test_what_is_no_hash_of_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="sha256:"):
        Application(name="Shop", keys=(key,))


@pytest.mark.parametrize("secret", ["", "a-pseudonym-key"])
def test_applications_that_the_database_keeps_are_known(bare: Store, secret: str) -> None:
    """A key that was disabled since was theirs; one that came since is found."""
    register = DatabaseApplications(bare.url)
    register.keep(Registered(name="Kept", owner="ann", vendor="Acme", client_id="kept-1"))
    register.add_key(registered_key(b"k1"))
    register.disable(registered_key(b"k1").digest, 2.0)
    issue(bare.url, b"t1", client="kept-1")
    key, token, later = (Pseudonyms(secret).of_credential(text) for text in (b"k1", b"t1", b"k2"))
    clients = learnt(Known(pseudonym_key=secret, tokens=bare.url), [key, token])
    begin = registered_key(b"k1").digest.hex()[:8]
    assert clients.of(key, None) == Client(f"key:{begin}", "Kept", "Acme")
    assert clients.of(token, None) == Client("kept-1", "Kept", "Acme")
    assert clients.of("00", "Kept") == Client("kept-1", "Kept", "Acme")
    register.add_key(registered_key(b"k2"))
    register.close()
    clients.learn([later])
    assert clients.of(later, None).application == "Kept"


def test_the_configuration_goes_before_the_database(bare: Store) -> None:
    register = DatabaseApplications(bare.url)
    register.keep(Registered(name="Shop", owner="ann", vendor="Another"))
    register.close()
    clients = learnt(Known(applications=(SHOP,), tokens=bare.url), ["00"])
    assert clients.of("00", "Shop") == Client("shop-1", "Shop", "Acme")


def registered_key(key: bytes) -> RegisteredKey:
    return RegisteredKey(
        digest=hashlib.sha256(key).digest(), application="Kept", created_at=1.0, disabled_at=None
    )
