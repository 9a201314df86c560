"""A shipper killed by SIGKILL at random, its destination in trouble at random: nothing is lost."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.store.install import install
from tests.postgresql import cluster
from tests.ship import token_logs
from tests.ship.counterparts import Collector, Counterpart, LokiStore, listening
from tests.ship.killing import killed_at_random
from tests.ship.logs import lines, ndjson

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


def test_loki_has_each_line_once_and_each_refused_one_is_a_dead_letter(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    store.refuses = lambda line: '99"' in line.partition("RequestInURL=")[2][:20]
    written = killed_at_random(
        log,
        state,
        loki,
        progress=lambda: loki.met,
        to="loki",
        url=loki.url,
        timeout=0.3,
    )
    refused = [line for line in lines(range(written)) if store.refuses(line)]
    letters = [letter["line"] for letter in ndjson(state / "dead-letters.ndjson")]
    assert Counter(letters) == Counter(refused)
    assert Counter(store.lines) == Counter(set(lines(range(written))) - set(refused))
    assert ndjson(state / "gaps.ndjson") == []
    assert loki.trouble.seen


@pytest.mark.parametrize("acknowledges", [False, True])
def test_splunk_has_each_line(log: Path, state: Path, *, acknowledges: bool) -> None:
    """It knows no event again, so that some come twice."""
    collector = Collector(acknowledges=acknowledges)
    with listening(collector.take) as counterpart:
        written = killed_at_random(
            log,
            state,
            counterpart,
            progress=lambda: counterpart.met,
            to="splunk",
            url=counterpart.url,
            token=Collector.TOKEN,
            timeout=0.5,
        )
    assert set(collector.lines) == set(lines(range(written)))
    assert ndjson(state / "dead-letters.ndjson") == ndjson(state / "gaps.ndjson") == []


# Fails before it took the batch, fails afterwards, takes too long, or does what is asked of it.
_PROGRAM = """
case $(($$ % 8)) in
    0) exit 1 ;;
    1) cat >> "$0"; exit 1 ;;
    2) exec sleep 2 ;;
esac
cat >> "$0"
"""


def test_a_command_gets_each_line(log: Path, state: Path, tmp_path: Path) -> None:
    """It fails now and then, so that some come twice."""
    out = tmp_path / "out"
    written = killed_at_random(
        log,
        state,
        None,
        progress=lambda: out.stat().st_size if out.exists() else 0,
        to="command",
        command=["sh", "-c", _PROGRAM, str(out)],
        timeout=0.3,
    )
    assert set(out.read_text().splitlines()) >= set(lines(range(written)))
    assert ndjson(state / "dead-letters.ndjson") == ndjson(state / "gaps.ndjson") == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_has_each_row_once(log: Path, state: Path, kind: str) -> None:
    """Records of the event log too, which have no id but their place."""
    with contextlib.ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{log.parent}/store.db"
        else:
            url = stack.enter_context(cluster()).url()
        install(url)
        written = killed_at_random(
            log,
            state,
            None,
            progress=lambda: token_logs.count(url),
            write=token_logs.append,
            to="database",
            url=url,
        )
        assert token_logs.held(url) == token_logs.expected(written)
    assert ndjson(state / "dead-letters.ndjson") == ndjson(state / "gaps.ndjson") == []
