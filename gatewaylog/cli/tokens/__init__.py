"""`gatewaylog tokens VERB`: how tokens are used, from the database that logs are shipped to.

One module a verb, loaded when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewaylog.cli.verbs import WrongCall

if TYPE_CHECKING:
    from argparse import Namespace

    from gatewaylog.cli.verbs import Parser

# In the order of --help. A verb's module has its name.
PARTS = {
    "init": "make the tables in the database, or bring older ones up to date",
    "log": "show each use of a token, by vendor, application and time",
    "vendors": "show how much each vendor's tokens were used of late",
    "suspicious": "show clients that call too often, and what the rules find",
    "timeline": "chart the use of tokens by hour, vendor, application and client",
    "prune": "let go of rows that are older than is to be kept",
    "status": "show how much there is, since when, how far behind the log",
    "watch": "run the rules over a log as it grows, and tell new findings",
    "edfi": "log which tokens an Ed-Fi ODS/API issues: its database's trigger",
}
EXAMPLE = """\
  gatewaylog tokens init --database sqlite:///gatewaylog.db
  gatewaylog tokens vendors --database sqlite:///gatewaylog.db --since -7d"""


def configure(parser: Parser) -> None:
    """Tell of the verbs; how each is called is told by its own --help."""
    verbs = "\n".join(f"  {name:<12}{tells}" for name, tells in PARTS.items())
    parser.description = f"{parser.description}\n\nverbs:\n{verbs}"
    tells = "what to do; gatewaylog tokens VERB --help tells more of each"
    parser.add_argument("verb", metavar="VERB", choices=list(PARTS), help=tells)


def run(options: Namespace) -> int:
    """Raise WrongCall: a verb is called by its own module."""
    raise WrongCall(f"tokens: {options.verb} has to stand first: gatewaylog tokens {options.verb}")
