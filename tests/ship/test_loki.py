"""Lines to Loki's push API, and what every destination over HTTP has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import ShipError
from tests.ship.counterparts import listening
from tests.ship.logs import append, lines, ndjson, once

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ship.counterparts import Counterpart, LokiStore


def test_loki_gets_few_labels_and_what_tells_calls_apart(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    append(log, [7])
    log.write_bytes(log.read_bytes() + b"not a line \xff of ours\n")
    once(log, state, to="loki", url=loki.url, tenant="acme", job="edge")
    assert loki.requests[0].headers["x-scope-orgid"] == "acme"
    first, second = store.found
    labels = {"job": "edge", "node": "AM", "event": "INCOMING_REQUEST", "api": "acme--Shop:v1"}
    identity = "urn:uuid:00000000-0000-4000-8000-000000000007"
    assert first == (labels, 1_700_000_000_007_000_000, lines([7])[0], {"message_id": identity})
    unread = {"job": "edge", "event": "UNREAD"}
    assert second == (unread, first[1], "not a line \\xff of ours", {})


def test_lines_that_are_too_old_are_dead_letters_by_the_batch(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    """Loki names the oldest time that it takes, cut to seconds: only that second is searched."""
    store.oldest = 1_700_000_000 + 4.0625
    append(log, range(5000))
    once(log, state, to="loki", url=loki.url)
    letters = ndjson(state / "dead-letters.ndjson")
    assert [letter["line"] for letter in letters] == lines(range(4063))
    assert "oldest acceptable timestamp is: 2023-11-14T22:13:24Z" in letters[0]["reason"]
    assert store.lines == lines(range(4063, 5000))
    assert loki.met < 200  # for 4,063


def test_where_all_lines_are_too_old_a_batch_takes_one_request(
    log: Path, state: Path, loki: Counterpart, store: LokiStore
) -> None:
    store.oldest = 1_800_000_000
    append(log, range(2000))
    once(log, state, to="loki", url=loki.url)
    assert len(ndjson(state / "dead-letters.ndjson")) == 2000
    assert loki.met < 10


def test_a_time_that_is_none_is_no_oldest_one(log: Path, state: Path) -> None:
    said = b"has timestamp too old: x, oldest acceptable timestamp is: 2023-99-14T22:13:24Z"
    append(log, range(3))
    with listening(lambda request: (400, {}, said)) as counterpart:
        once(log, state, to="loki", url=counterpart.url)
    assert len(ndjson(state / "dead-letters.ndjson")) == 3


@pytest.mark.parametrize(
    "url", ["", "loki", "ftp://host/", "http://", "http://a b/", "http://host:99999", "http://\n"]
)
def test_a_url_that_is_none_is_refused(log: Path, state: Path, url: str) -> None:
    with pytest.raises(ShipError, match="loki: url must be one like"):
        once(log, state, to="loki", url=url)


def test_a_password_in_the_url_is_refused_and_not_shown(log: Path, state: Path) -> None:
    with pytest.raises(ShipError, match="must hold no user") as told:
        once(log, state, to="loki", url="http://me:se-cret@host/")
    assert "se-cret" not in str(told.value)


def test_an_unknown_destination_is_refused(log: Path, state: Path) -> None:
    with pytest.raises(ShipError, match="there is no destination 'fax'"):
        once(log, state, to="fax")
