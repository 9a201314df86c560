"""`gatewaylog keys new|disable|list`, and `gatewaylog keys tamper FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.auth.api_keys import new_key
from gatewaylog.cli import registered_keys
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog keys new
  gatewaylog keys new --application shop --owner ann --subscribe acme--Shop:v1.0
  gatewaylog keys new --application shop --client shop-client
  gatewaylog keys list
  gatewaylog keys disable key:1a2b3c4d
  gatewaylog keys tamper /etc/gatewaylog/keys

new makes a key for callers of the gateway, and prints what gateway.toml keeps of it;
with --application its hash is kept in the database, where a gateway with
[database] applications = true finds it. tamper makes what tamper_evident = true
needs: chain.key, signing.key and signing.pub. Who audits needs signing.pub to check
what was signed, and chain.key to name the line."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "action",
        choices=["new", "disable", "list", "tamper"],
        help="new: a random key for callers; disable, list: those in a database;"
        " tamper: the keys of a tamper-evident log",
    )
    parser.add_argument(
        "what",
        metavar="KEY|CLIENT|FOLDER",
        nargs="?",
        help="disable: which key or client; tamper: the folder where the keys are put",
    )
    registered_keys.configure(parser)


def run(options: Namespace) -> int:
    """Make keys, and say what the configuration keeps of them."""
    what: str | None = options.what
    if options.action == "tamper":
        return _tamper(None if what is None else Path(what))
    if options.action == "disable":
        return registered_keys.disable(options, what)
    if options.action == "list":
        return registered_keys.listed(options)
    if what is not None:
        raise WrongCall("keys new: takes no FOLDER: the key is shown, and kept nowhere")
    return registered_keys.new(options) if registered_keys.is_for_a_database(options) else _new()


def _tamper(folder: Path | None) -> int:
    from gatewaylog.seal.keys import CHAIN_KEY, PUBLIC_KEY, SIGNING_KEY, make_keys

    if folder is None:
        raise WrongCall("keys tamper: FOLDER is missing: where the keys are put")
    try:
        make_keys(folder)
    except ValueError as error:
        raise WrongCall(f"keys tamper: {error}") from None
    except FileExistsError as error:
        raise WrongCall(f"keys tamper: {error.filename}: is there already, and stays") from None
    where = {name: printable(str(folder / name)) for name in (CHAIN_KEY, SIGNING_KEY, PUBLIC_KEY)}
    print(f"""For [log] in gateway.toml:

  tamper_evident = true
  chain_key_file = "{where[CHAIN_KEY]}"
  signing_key_file = "{where[SIGNING_KEY]}"

Keep {where[PUBLIC_KEY]} and a copy of {CHAIN_KEY} elsewhere, for gatewaylog verify.""")
    return 0


def _new() -> int:
    """Print a new key, this once, and what the configuration keeps of it."""
    key, kept = new_key()
    print(f"""The key, for whoever calls (it is shown this once, and kept nowhere):

  {key}

Its SHA-256, for an [[application]] in gateway.toml:

  keys = ["{kept}"]""")
    return 0
