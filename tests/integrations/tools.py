"""Programs that check what is shipped, and where a test finds them.

scripts/tools installs them into an environment of its own, beside the one that runs the tests:
some pin what they need, and one is unpacked, as it can't be installed beside another.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.requirements import missing

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "integrations"
TOOLS = Path(os.environ.get("GATEWAYLOG_TOOLS", Path(sys.prefix) / "tools"))
_PLACES = f"{TOOLS / 'bin'}:{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"


def tool(name: str) -> str:
    """The path of a program; the test is skipped where there is none, and says so."""
    path = shutil.which(name, path=_PLACES)
    if path is None:
        missing(f"NOT TESTED: {name} is not installed (scripts/tools)")
    return path


def tool_file(name: str) -> Path:
    """The path of a file that scripts/tools brings."""
    path = TOOLS / name
    if not path.exists():
        missing(f"NOT TESTED: {name} is not installed (scripts/tools)")
    return path


def run(*command: str | Path, **options: object) -> str:
    """Return what a program prints; AssertionError with all of it where it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)
