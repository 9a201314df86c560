"""`gatewaylog keys new` and `gatewaylog keys tamper FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewaylog.auth.api_keys import new_key
from gatewaylog.cli.terminal import printable
from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

EXAMPLE = """\
  gatewaylog keys new
  gatewaylog keys tamper /etc/gatewaylog/keys

new makes a key for callers of the gateway. tamper makes what tamper_evident = true
needs: chain.key, signing.key and signing.pub. Who audits needs signing.pub to check
what was signed, and chain.key to name the line."""


def configure(parser: Parser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "action",
        choices=["new", "tamper"],
        help="new: a random key for callers; tamper: the keys of a tamper-evident log",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", type=Path, help="tamper: where the keys are put"
    )


def run(options: Namespace) -> int:
    """Make keys, and say what the configuration keeps of them."""
    if options.action == "tamper":
        return _tamper(options.folder)
    if options.folder is not None:
        raise WrongCall("keys new: takes no FOLDER: the key is shown, and kept nowhere")
    return _new()


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
