"""The keys of `[log]` that make it tamper-evident, and what is kept for shippers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.gateway.serving import access_log
from gatewaylog.seal.keys import CHAIN_KEY, SIGNING_KEY
from tests.gateway.configured import problem, read
from tests.seal.sealed import digests, keys, write

if TYPE_CHECKING:
    from pathlib import Path

SHIP = '[[ship]]\nto = "command"\ncommand = ["true"]\nstate = "{state}"\n'


def log(**values: str) -> str:
    known = {
        "tamper_evident": "true",
        "chain_key_file": f'"{keys() / CHAIN_KEY}"',
        "signing_key_file": f'"{keys() / SIGNING_KEY}"',
    } | values
    return "[log]\n" + "".join(f"{key} = {value}\n" for key, value in known.items())


def test_the_log_is_sealed_as_configured(tmp_path: Path) -> None:
    config = read(log(path=f'"{tmp_path}/api.log"', digest_every='"5m"'))
    opened = access_log(config.kept_log)
    write(opened, 2)
    opened.close()
    assert digests(tmp_path / "api.log")[-1].lines == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"path": '"-"'}, "log.tamper_evident: needs a log that is a file"),
        ({"fields": '"seed"'}, 'log.tamper_evident: needs fields = "full"'),
        ({"chain_key_file": '""'}, "log.tamper_evident: needs chain_key_file and signing_key"),
        ({"signing_key_file": '""'}, "log.tamper_evident: needs chain_key_file and signing_key"),
        ({"chain_key_file": '"none"'}, "log.chain_key_file: can't be read"),
        ({"signing_key_file": f'"{__file__}"'}, "log.signing_key_file: must be a"),
        ({"digest_every": '"0s"'}, "log.digest_every: must be at least a second"),
        ({"digest_every": '"often"'}, "log.digest_every: must be a time"),
        ({"max_unshipped": '"much"'}, "log.max_unshipped: must be bytes"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(values: dict[str, str], said: str) -> None:
    assert problem(log(**values)).startswith(said)


def test_shippers_of_the_gateway_are_waited_for() -> None:
    own = SHIP.format(state="one")
    other = SHIP.format(state="two") + 'file = ["other.log"]\n'
    named = SHIP.format(state="three") + 'file = ["logs/api-access.log"]\n'
    config = read('[log]\nshippers = ["outside"]\n' + own + other + named)
    assert config.kept_log.shippers == ("outside", "one", "three")
    assert read("").kept_log.shippers == ()
    assert config.log.max_unshipped == 10 * 1024**3
