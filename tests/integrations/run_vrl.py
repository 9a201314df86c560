"""A program for the environment of scripts/tools: `run_vrl.py PROGRAM LINES`, where VRL is.

Prints for each line the event that Vector's program makes of it, as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

runtimes: Any = importlib.import_module("vrl_python").VRLRuntime


def main(program: str, lines: str) -> None:
    runtime, source = runtimes(), Path(program).read_text()
    if wrong := runtimes.check_syntax(source):
        sys.exit(wrong.formatted_message)
    for line in Path(lines).read_text().rstrip("\n").split("\n"):
        event = runtime.execute(source, {"message": line}).processed_event
        print(json.dumps(event, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
