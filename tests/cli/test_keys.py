"""`gatewaylog keys` makes keys for callers, and those of a tamper-evident log."""

from __future__ import annotations

import hashlib
import stat
import tomllib
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.application_store import DatabaseApplications
from gatewaylog.audit.events.account import account
from gatewaylog.audit.events.line import parse_line
from gatewaylog.audit.registered import Registered
from gatewaylog.cli import run as main
from gatewaylog.seal.keys import judge_of, mac_of, signer_of

if TYPE_CHECKING:
    from pathlib import Path


def test_tamper_makes_keys_that_fit_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "keys"
    assert main(["keys", "tamper", str(folder)]) == 0
    said = capsys.readouterr().out
    table = tomllib.loads("".join(line for line in said.splitlines(True) if " = " in line))
    assert table["tamper_evident"] is True
    mac_of(table["chain_key_file"])
    signer, judge = signer_of(table["signing_key_file"]), judge_of(folder / "signing.pub")
    assert signer.name == judge.name
    assert judge.is_good(signer.sign(b"text"), b"text")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == {"chain.key": 0o600, "signing.key": 0o600, "signing.pub": 0o644}


def test_keys_that_are_there_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "tamper", str(tmp_path)]) == 0
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    capsys.readouterr()
    assert main(["keys", "tamper", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("chain.key: is there already, and stays\n")
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tamper"], "keys tamper: FOLDER is missing: where the keys are put"),
        (["new", "x"], "keys new: takes no FOLDER: the key is shown, and kept nowhere"),
    ],
)
def test_a_folder_is_for_tamper(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", *arguments]) == 2
    assert capsys.readouterr().err == f"gatewaylog: {said}\n"


def test_without_the_extra_its_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives", None)
    assert main(["keys", "tamper", str(tmp_path)]) == 2
    assert "needs pip install 'gatewaylog[tamper]'" in capsys.readouterr().err


def test_a_key_for_callers_is_shown_with_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "new"]) == 0
    assert 'keys = ["sha256:' in capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, where the command is called."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text(
        '[database]\nurl = "sqlite:///kept.db"\n[event_log]\npath = "event.log"\n'
    )
    return tmp_path


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """A key as it is shown."""
    assert main(["keys", "new", *arguments]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("  "))
    return line.strip()


def test_a_key_is_kept_in_the_database_as_its_hash_and_disabled_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = ("--application", "shop")
    first = made(capsys, *shop, "--owner", "ann", "--vendor", "acme", "--subscribe", "acme--Shop")
    second = made(capsys, *shop, "--scope", "read", "--subscribe", "*")
    store = DatabaseApplications(f"sqlite:///{folder}/kept.db")
    digest = hashlib.sha256(first.encode()).digest()
    assert store.by_key(digest) == Registered(
        name="shop",
        owner="ann",
        vendor="acme",
        subscriptions=frozenset({"acme--Shop", "*"}),
        scopes=frozenset({"read"}),
    )
    name = f"key:{digest.hex()[:8]}"
    assert main(["keys", "disable", name]) == 0
    assert capsys.readouterr().out == f"{name} of shop is disabled\n"
    assert store.by_key(digest) is None
    assert store.by_key(hashlib.sha256(second.encode()).digest()) is not None
    assert main(["keys", "disable", name]) == 0
    assert "was disabled before" in capsys.readouterr().out
    assert main(["keys", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] == name for line in lines] == [True, False]
    assert "  shop  disabled 2" in lines[0]
    events = [parse_line(raw) for raw in (folder / "event.log").read_bytes().splitlines()]
    assert [(event.event, event.user, event.requestor) for event in events] == [
        ("KEY_CREATED", account(), "shop"),
        ("KEY_CREATED", account(), "shop"),
        ("KEY_DISABLED", account(), "shop"),
    ]
    assert events[2].detail == name
    for file in folder.iterdir():
        assert first.encode() not in file.read_bytes()


def test_the_secret_of_a_client_is_kept_with_its_application(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = made(capsys, "--application", "shop", "--owner", "ann", "--client", "shop-client")
    store = DatabaseApplications(f"sqlite:///{folder}/kept.db")
    found = store.by_client("shop-client")
    assert found is not None
    assert found.client_secret == f"sha256:{hashlib.sha256(secret.encode()).hexdigest()}"
    assert store.all_keys() == []
    other = ["keys", "new", "--application", "b", "--owner", "x", "--client", "shop-client"]
    assert main(other) == 2
    assert "--client shop-client is another application's" in capsys.readouterr().err


def records(folder: Path) -> list[tuple[str, str | None, str | None]]:
    events = [parse_line(raw) for raw in (folder / "event.log").read_bytes().splitlines()]
    return [(str(event.event), event.requestor, event.detail) for event in events]


def name_of(secret: str) -> str:
    return f"key:{hashlib.sha256(secret.encode()).hexdigest()[:8]}"


def test_a_client_is_replaced_where_that_is_asked_for_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what opens nothing any more stands in the event log."""
    first = made(capsys, "--application", "shop", "--owner", "ann", "--client", "c1")
    assert main(["keys", "new", "--application", "shop", "--client", "c2"]) == 2
    assert capsys.readouterr().err == (
        "gatewaylog: keys new: shop has the client c1, which would open nothing any more:"
        " --replace to put c2 in its place\n"
    )
    store = DatabaseApplications(f"sqlite:///{folder}/kept.db")
    assert store.by_client("c1") is not None
    second = made(capsys, "--application", "shop", "--client", "c2", "--replace")
    third = made(capsys, "--application", "shop", "--client", "c2")  # another secret
    assert store.by_client("c1") is None
    names = [name_of(secret) for secret in (first, second, third)]
    assert records(folder) == [
        ("KEY_CREATED", "shop", names[0]),
        ("KEY_CREATED", "shop", names[1]),
        ("KEY_DISABLED", "shop", names[0]),
        ("KEY_CREATED", "shop", names[2]),
        ("KEY_DISABLED", "shop", names[1]),
    ]


@pytest.mark.parametrize("by", ["its id", "its secret's name"])
def test_clients_are_listed_and_disabled(
    folder: Path, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = made(capsys, "--application", "shop", "--owner", "ann", "--client", "c1")
    store = DatabaseApplications(f"sqlite:///{folder}/kept.db")
    store.keep(Registered(name="signed", owner="bob", client_id="c2"))
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"client c1  {name_of(secret)}  shop",
        "client c2  without a secret  signed",
    ]
    assert main(["keys", "disable", "c1" if by == "its id" else name_of(secret)]) == 0
    assert main(["keys", "disable", "c2"]) == 0
    assert capsys.readouterr().out == (
        "the client c1 of shop is disabled\nthe client c2 of signed is disabled\n"
    )
    assert store.all_clients() == []
    assert store.by_name("shop") == Registered(name="shop", owner="ann")
    assert records(folder)[1:] == [
        ("KEY_DISABLED", "shop", name_of(secret)),
        ("KEY_DISABLED", "signed", "client c2"),
    ]


def test_a_client_of_the_configuration_is_not_made_in_the_database_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "gateway.toml").open("a") as file:
        file.write('[[application]]\nname = "b"\nowner = "bob"\nclient_id = "c1"\n')
    call = ["keys", "new", "--application", "shop", "--owner", "ann", "--client", "c1"]
    assert main(call) == 2
    assert capsys.readouterr().err == (
        "gatewaylog: keys new: --client c1 is that of b in the configuration\n"
    )


@pytest.mark.parametrize("what", ["owner", "vendor"])
def test_an_application_keeps_its_owner_and_vendor(
    folder: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made(capsys, "--application", "shop", "--owner", "ann", "--vendor", "ann")
    assert main(["keys", "new", "--application", "shop", f"--{what}", "eve"]) == 2
    assert capsys.readouterr().err == (
        f"gatewaylog: keys new: --{what} eve: the {what} of shop is ann, and stays\n"
    )
    found = DatabaseApplications(f"sqlite:///{folder}/kept.db").by_name("shop")
    assert found == Registered(name="shop", owner="ann", vendor="ann")
    made(capsys, "--application", "shop", f"--{what}", "ann")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "--owner", "ann"], "keys new: --owner: of which application? --application NAME"),
        (["new", "--application", "shop"], "keys new: shop is new: whose is it? --owner NAME"),
        (
            ["new", "--application", "a\nb", "--owner", "x"],
            "keys new: --application: must be at most 255 printable characters",
        ),
        (
            ["new", "--application", "a", "--owner", "x", "--scope", ""],
            "keys new: --scope: must be at most 512 printable characters",
        ),
        (
            ["disable"],
            "keys disable: which KEY or client? As in the event log and keys list: key:1a2b3c4d",
        ),
        (["disable", "key:1a"], "keys disable: no key of that name: key:1a (see keys list)"),
        (
            ["list", "--database", "sqlite:////no/kept.db"],
            "keys list: the database: /no/kept.db: No such file or directory",
        ),
        (
            ["list", "--database", "postgresql://h@127.0.0.1:1/x"],
            "keys list: the database: connection failed: ",
        ),
        (["list", "--database", "mysql://h"], "--database must be like sqlite:///gatewaylog.db"),
    ],
)
def test_what_can_not_be_is_told_in_a_line(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
