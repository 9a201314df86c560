"""(l) A million events of eight processes, rotated at 1 MiB and packed, while a reader follows.

python benchmarks/rotation.py [--events 1000000] [--compress gz]

Exits 1 where one event is missing, torn, double or out of its writer's order.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from gatewaylog.formats import Line
from gatewaylog.reader import Follower
from gatewaylog.sinks.rotation import rotated_from

_WRITER = """
import sys
from gatewaylog import AccessLog, IncomingRequest
log = AccessLog(sys.argv[1], max_size="1MiB", compress=sys.argv[3])
for number in range(int(sys.argv[2])):
    log.write(IncomingRequest(api="benchmark", request_in_url=f"/{number}"))
log.close()
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=1_000_000)
    options.add_argument("--compress", default="gz")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder) / "api.log", chosen.events // 8, chosen.compress)


def run(path: Path, each: int, compress: str) -> int:
    path.touch(0o640)
    began = time.monotonic()
    last: dict[str | None, int] = defaultdict(int)
    wrong = 0
    with Follower(path, last=None) as follower:
        command = [sys.executable, "-c", _WRITER, str(path), str(each), compress]
        writers = [subprocess.Popen(command) for _ in range(8)]
        written = 0.0
        over = False
        while not over:
            over = all(writer.poll() is not None for writer in writers)
            if over and not written:
                written = time.monotonic() - began
            for entry in follower.poll():
                line = entry.line
                if not isinstance(line, Line) or line.seq != last[line.writer] + 1:
                    wrong += 1
                    continue
                last[line.writer] = line.seq
            time.sleep(0.05)
        for entry in follower.poll():
            wrong += 1  # the last look came after the last writer's end
            print(entry)
    read = sum(last.values())
    files = [file for _, file in rotated_from(path)]
    packed = sum(file.suffix == f".{compress}" for file in files)
    print(
        f"{read} events read of {8 * each}, {wrong} wrong; written in {written:.1f} s, read in "
        f"{time.monotonic() - began:.1f} s; {len(files)} rotations, {packed} packed by then"
    )
    return 0 if read == 8 * each and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
