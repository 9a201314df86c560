"""Batches are delivered whatever the destination does: tried again, refused, stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.lag import lag_of
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.state import State, read_checkpoint
from gatewaylog.ship.stopping import Stop
from tests.ship.counterparts import Counterpart, LokiStore, listening
from tests.ship.logs import QUICK, append, lines, ndjson, once, rotate
from tests.ship.shipping import shipping
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def test_a_log_is_followed(log: Path, state: Path, loki: Counterpart, store: LokiStore) -> None:
    append(log, range(500))
    with shipping(log, state, to="loki", url=loki.url):
        wait_for(lambda: len(store.lines) == 500)
        append(log, range(500, 510))
        wait_for(lambda: len(store.lines) == 510)
        rotate(log, pack_from=1)
        append(log, range(510, 520))
        wait_for(lambda: len(store.lines) == 520)
    assert store.lines == lines(range(520))


def test_what_was_written_before_the_stop_is_delivered(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    with shipping(log, state, to="loki", url=loki.url) as stop:
        append(log, range(1000))
        stop.set()
    assert store.lines == lines(range(1000))


def test_once_ends_at_the_end_and_goes_on_from_there(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    append(log, range(10))
    once(log, state, to="loki", url=loki.url)
    once(log, state, to="loki", url=loki.url)
    append(log, range(10, 20))
    once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(20))
    assert len(loki.requests) == 2


@pytest.mark.parametrize("kind", ["busy", "down", "cut", "lost", "half", "stall"])
def test_a_batch_is_sent_again_byte_for_byte(
    log: Path, state: Path, loki: Counterpart, store: LokiStore, kind: str
) -> None:
    append(log, range(10))
    loki.trouble.next = [kind, kind]
    once(log, state, to="loki", url=loki.url, timeout=0.2)
    assert loki.trouble.seen == [kind, kind]
    assert store.lines == lines(range(10))
    assert len({request.body for request in loki.requests}) == 1


def test_a_destination_that_comes_back_is_found(
    log: Path, state: Path, loki: Counterpart, store: LokiStore, capfd: pytest.CaptureFixture[str]
) -> None:
    append(log, range(10))
    loki.stop()
    with shipping(log, state, to="loki", url=loki.url):
        wait_for(lambda: state.exists() and read_checkpoint(state) is not None)
        append(log, range(10, 20))
        loki.start()
        wait_for(lambda: len(store.lines) == 20)
    said = capfd.readouterr().err
    if "trying again" in said:  # it may have been found at once
        assert "nothing is lost" in said
        assert "takes lines again" in said


def test_retry_after_is_kept(log: Path, state: Path) -> None:
    """With a pause of its own that would be over at once, it waits as long as it is asked to."""
    asked: list[float] = []
    clock = time.monotonic

    def take(request: Any) -> Any:
        asked.append(clock())
        return (429, {"Retry-After": "1"}, b"") if len(asked) == 1 else (204, {}, b"")

    append(log, range(3))
    patient = replace(QUICK, asked=60.0)
    with listening(take) as counterpart:
        settings = Settings(to="loki", url=counterpart.url)
        ship(settings, [log], state, Stop(), once=True, pace=patient)
    assert asked[1] - asked[0] >= 1


def test_what_is_refused_for_good_goes_to_the_dead_letters_alone(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    bad = {'/shop/3"', '/shop/77"', '/shop/78"'}
    store.refuses = lambda text: any(url in text for url in bad)
    append(log, range(100))
    once(log, state, to="loki", url=loki.url)
    letters = ndjson(state / "dead-letters.ndjson")
    assert [letter["line"] for letter in letters] == lines([3, 77, 78])
    assert {letter["reason"] for letter in letters} == {"HTTP 400: entry too far behind"}
    assert {(letter["file"], letter["to"]) for letter in letters} == {(str(log), "loki")}
    assert sorted(store.lines) == sorted(set(lines(range(100))) - set(lines([3, 77, 78])))
    assert stat.S_IMODE((state / "dead-letters.ndjson").stat().st_mode) == 0o600
    found = read_checkpoint(state)
    assert found is not None
    assert (found.delivered, found.dead) == (97, 3)


def test_dead_letters_of_a_batch_that_was_not_finished_are_not_doubled(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    """As after SIGKILL between the dead letters and the checkpoint."""
    store.refuses = lambda text: '/shop/3"' in text
    append(log, range(5))
    once(log, state, to="loki", url=loki.url)
    before = (state / "checkpoint.json").read_text()
    append(log, range(3, 5))
    once(log, state, to="loki", url=loki.url)
    (state / "checkpoint.json").write_text(before)
    once(log, state, to="loki", url=loki.url)
    assert len(ndjson(state / "dead-letters.ndjson")) == 2


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_wrong_credential_or_address_stops_and_loses_nothing(
    log: Path, state: Path, status: int, store: LokiStore
) -> None:
    append(log, range(10))
    answer = (status, {"Location": "http://127.0.0.1:1/"}, b"no")
    with (
        listening(lambda request: answer) as wrong,
        pytest.raises(ShipError, match=f"HTTP {status}: no"),
    ):
        once(log, state, to="loki", url=wrong.url)
    with listening(store.take) as right:
        once(log, state, to="loki", url=right.url)
    assert store.lines == lines(range(10))


def test_once_gives_up_after_a_while_and_loses_nothing(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    append(log, range(10))
    loki.stop()
    hasty = replace(QUICK, patience=0.1)
    with pytest.raises(ShipError, match="given up, the next run goes on from here"):
        ship(Settings(to="loki", url=loki.url), [log], state, Stop(), once=True, pace=hasty)
    loki.start()
    once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(10))


def test_the_batch_that_was_under_way_is_made_again_as_it_was(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    """A shipper that was killed before the yes: lines came meanwhile, the batch stays the same."""
    append(log, range(10))
    loki.trouble.next = ["lost"] * 100
    with shipping(log, state, to="loki", url=loki.url) as stop:
        wait_for(lambda: loki.requests)
        stop.set()
    loki.trouble.next.clear()
    before = len(loki.requests)
    append(log, range(10, 20))
    once(log, state, to="loki", url=loki.url)
    assert store.lines == lines(range(20))
    bodies = [request.body for request in loki.requests]
    assert len(bodies) == before + 2
    assert set(bodies[: before + 1]) == {bodies[0]}


def test_a_second_shipper_is_refused(log: Path, state: Path, loki: Counterpart) -> None:
    held = contextlib.closing(State(state, "loki"))
    with held, pytest.raises(ShipError, match="another shipper is at work"):
        once(log, state, to="loki", url=loki.url)
    once(log, state, to="loki", url=loki.url)


def test_a_state_of_another_destination_is_refused(
    log: Path, state: Path, loki: Counterpart
) -> None:
    once(log, state, to="loki", url=loki.url)
    with pytest.raises(ShipError, match="state of shipping to loki, not command"):
        once(log, state, to="command", command=("cat",))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1}', "\udcff"])
def test_a_broken_checkpoint_is_told_and_left(
    log: Path, state: Path, loki: Counterpart, text: str
) -> None:
    state.mkdir()
    kept = text.encode("utf-8", "surrogateescape")
    (state / "checkpoint.json").write_bytes(kept)
    with pytest.raises(ShipError, match="put a good one back, or remove it"):
        once(log, state, to="loki", url=loki.url)
    assert (state / "checkpoint.json").read_bytes() == kept


def test_a_state_that_can_not_be_written_is_told(
    log: Path, tmp_path: Path, loki: Counterpart
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ShipError, match="file"):
        once(log, tmp_path / "file" / "state", to="loki", url=loki.url)


def test_gaps_are_kept_and_told(
    log: Path, state: Path, loki: Counterpart, capfd: pytest.CaptureFixture[str]
) -> None:
    append(log, range(10))
    once(log, state, to="loki", url=loki.url)
    size = log.stat().st_size
    log.unlink()
    append(log, range(20, 22))
    once(log, state, to="loki", url=loki.url)
    (gap,) = ndjson(state / "gaps.ndjson")
    assert (gap["file"], gap["offset"]) == (str(log), size)
    assert f"gap in {log} from byte {size} on: the file is gone" in capfd.readouterr().err
    assert lag_of(state).checkpoint.gaps == 1


def test_a_file_that_comes_and_goes_while_the_destination_is_down_is_a_gap(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    loki.stop()
    append(log, range(10))
    with shipping(log, state, to="loki", url=loki.url):
        wait_for(lambda: (state / "checkpoint.json").exists() and _known(state) == 1)
        rotate(log)
        append(log, range(10, 20))
        wait_for(lambda: _known(state) == 2)
        rotate(log)
        append(log, range(20, 30))
        wait_for(lambda: _known(state) == 3)
        log.with_name("api.log.1").unlink()
        loki.start()
        wait_for(lambda: len(store.entries) == 20)
    assert store.lines == lines(range(10), range(20, 30))
    (gap,) = ndjson(state / "gaps.ndjson")
    assert (gap["file"], gap["offset"]) == (f"{log}.1", 0)


def _known(state: Path) -> int:
    return len(_checkpoint(state)["positions"])


def test_the_lag_is_told_in_events_bytes_and_seconds(
    log: Path, state: Path, loki: Counterpart
) -> None:
    append(log, range(10))
    once(log, state, to="loki", url=loki.url)
    assert (lag_of(state).events, lag_of(state).size, lag_of(state).seconds) == (0, 0, 0.0)
    before = log.stat().st_size
    append(log, range(10, 15))
    rotate(log, pack_from=1)
    append(log, range(15, 17))
    size = sum(len(text) + 1 for text in lines(range(10, 17)))
    assert size > 0 < before
    lag = lag_of(state)
    assert (lag.events, lag.size, lag.running, lag.gaps) == (7, size, False, ())
    assert lag.seconds > 1_000_000  # the lines are of 2023
    with contextlib.closing(State(state, "loki")):
        assert lag_of(state).running


def test_the_lag_of_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShipError, match="holds no checkpoint"):
        lag_of(tmp_path)


def test_a_writer_that_holds_a_renamed_file_keeps_it_open(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    append(log, range(2))
    once(log, state, to="loki", url=loki.url)
    rotate(log)
    append(log, [9])
    rotated = log.with_name("api.log.1")
    with rotated.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_SH)
        once(log, state, quiet=0.0, to="loki", url=loki.url)
        os.write(writer.fileno(), b"".join(text.encode() + b"\n" for text in lines([2])))
        once(log, state, quiet=0.0, to="loki", url=loki.url)
    assert store.lines == lines(range(2), [9], [2])
    once(log, state, quiet=0.0, to="loki", url=loki.url)
    overs = [position["over"] for position in _checkpoint(state)["positions"]]
    assert overs == [True, False]


def _checkpoint(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((state / "checkpoint.json").read_text())
    return found
