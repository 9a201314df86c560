"""What `[[ship]]` may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.gateway.shipping import orders_of
from gatewaylog.ship.settings import DESTINATIONS
from tests.gateway.configured import problem, problems, read

if TYPE_CHECKING:
    from pathlib import Path

_LOKI = '[[ship]]\nto = "loki"\nurl = "http://l:3100"\nstate = "s"\n'


def test_a_shipper_is_told_what_the_table_says() -> None:
    config = read(_LOKI + 'tenant = "a"\ntoken = "${T}"\n[log]\npath = "x.log"\n', {"T": "secret"})
    (order,) = orders_of(config)
    assert order.to == "loki"
    assert '"logs": ["x.log"]' in order.text
    assert config.ship[0].settings().tenant == "a"
    assert config.ship[0].settings().token == "secret"
    assert "secret" not in repr(config.ship[0])
    assert "secret" not in repr(config.ship[0].settings())


def test_files_can_be_named() -> None:
    (order,) = orders_of(read(_LOKI + 'file = ["a.log", "b.log"]\n'))
    assert '"logs": ["a.log", "b.log"]' in order.text


def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    config = read(f'{_LOKI}token_file = "{tmp_path}/token"\n')
    assert config.ship[0].settings().token == "from-file"
    told = problem(f'{_LOKI}password_file = "{tmp_path}/nowhere"\n')
    assert told == f"ship[0]: {tmp_path}/nowhere: can't be read: No such file or directory"


def test_a_secret_that_can_not_be_sent_is_refused_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("se-cret\nse-cret\n")
    told = problem(f'{_LOKI}token_file = "{tmp_path}/token"\n')
    assert told.startswith(f"ship[0]: {tmp_path}/token: must hold printable ASCII characters")
    assert "se-cret" not in told
    told = problem(_LOKI + 'tenant = "\u00e9"\n')
    assert told == "ship[0]: loki: tenant must be printable ASCII characters in one line"


def test_an_option_of_another_destination_is_refused() -> None:
    told = problem(_LOKI + 'table = "events"\n')
    assert told.startswith("ship[0]: loki takes no table: its options are url, user, ")


@pytest.mark.parametrize("to", [name for name in DESTINATIONS if name != "command"])
def test_each_destination_needs_its_address(to: str) -> None:
    token = 'token = "t"\n' if to == "splunk" else ""
    told = problem(f'[[ship]]\nto = "{to}"\nstate = "s"\n{token}')
    assert told.startswith(f"ship[0]: {to}: url must be one like ")


def test_a_command_needs_a_program() -> None:
    assert "which program" in problem('[[ship]]\nto = "command"\nstate = "s"\n')
    good = read('[[ship]]\nto = "command"\nstate = "s"\ncommand = ["cat", "-"]\n')
    assert good.ship[0].settings().command == ("cat", "-")


def test_what_is_no_destination_is_refused() -> None:
    assert problem('[[ship]]\nto = "fax"\nstate = "s"\n').startswith("ship[0].to: must be one of")
    assert problems('[[ship]]\nto = "loki"\nstat = "s"\n') == [
        "ship[0].state: is missing, and must be given",
        "ship[0].stat: unknown key; did you mean state?",
    ]


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    told = problem(_LOKI.replace("http://l:3100", "http://me:se-cret@l:3100"))
    assert "must hold no user, password or query" in told
    assert "se-cret" not in told


def test_two_shippers_may_not_share_a_state(tmp_path: Path) -> None:
    same = "ship[1].state: is the state of ship[0].state: each needs its own folder"
    assert problem(_LOKI + _LOKI) == same
    assert problem(_LOKI + _LOKI.replace('"s"', '"./s/"')) == same
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "s")
    first = _LOKI.replace('"s"', f'"{tmp_path}/s"')
    assert problem(first + _LOKI.replace('"s"', f'"{link}"')) == same


def test_standard_output_can_not_be_shipped() -> None:
    told = problem(_LOKI + '[log]\npath = "-"\n')
    assert told.startswith(
        "ship[0].file: is missing, and must be given: log.path is standard output"
    )
    assert read(_LOKI + 'file = ["x"]\n[log]\npath = "-"\n').ship
