"""The command `gatewaylog`, and `python -m gatewaylog`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; return its exit status."""
    from gatewaylog.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
