"""(d) The gateway with 1 and with 10,000 APIs in its table, the calls spread over all of them.

python benchmarks/many_apis.py [--runs 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from gateways import BACKEND, TEMPORARY, nginx
from harness import Peer, free_port, needs, running, side_by_side, table

API = """
[[api]]
name = "Api{number}"
context = "/v1/api{number}"
backend = "http://127.0.0.1:{backend}"
auth = "none"
"""


SPREAD = """
request = function()
  return wrk.format("GET", "/v1/api" .. math.random(0, {last}) .. "/hello")
end
"""


def gateway(folder: Path, backend: int, apis: int) -> Peer:
    port = free_port()
    configuration = folder / f"gateway{apis}.toml"
    tables = "".join(API.format(number=number, backend=backend) for number in range(apis))
    configuration.write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\n[log]\npath = "{folder}/log{apis}"\n{tables}'
    )
    script = folder / f"spread{apis}.lua"
    script.write_text(SPREAD.format(last=apis - 1))
    return Peer(
        name=f"{apis:,} APIs",
        command=[sys.executable, "-m", "gatewaylog", "serve", str(configuration)],
        port=port,
        script=script,
        output=folder / f"gateway{apis}.out",
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    chosen = options.parse_args()
    needs("wrk", "nginx")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        configuration = folder / "backend.conf"
        temporary = TEMPORARY.format(folder=folder)
        configuration.write_text(BACKEND.format(folder=folder, port=port, temporary=temporary))
        with running(Peer(name="backend", command=nginx(configuration), port=port)):
            peers = [gateway(folder, port, apis) for apis in (1, 100, 10_000)]
            loads = side_by_side(peers, runs=chosen.runs, seconds=chosen.seconds)
    print(table(loads, base="1 APIs"))


if __name__ == "__main__":
    main()
