"""What the page is told of single events and values."""

from __future__ import annotations

import json
import time
from typing import Any

from gatewaylog.dashboard import answers
from gatewaylog.events import LogLoss
from gatewaylog.search import compile_query
from tests.reader.logs import encoded, incoming


def told(query: str, *lines: bytes) -> dict[str, Any]:
    plan = compile_query(query, now=time.time())
    answer = answers.table(plan, lines) if plan.commands else answers.events(plan, lines)
    values: dict[str, Any] = json.loads(json.dumps(answer, allow_nan=False))
    return values


def test_a_loss_says_what_was_lost_and_opens_no_exchange() -> None:
    loss = LogLoss("urn:uuid:1", lost=7, first=1, last=7, reason="No space left on device")
    (event,) = told("*", encoded(loss))["events"]
    assert (event["id"], event["error"]) == (None, "7 events lost: No space left on device")


def test_texts_and_lists_are_cut_and_numbers_are_such_as_json_knows() -> None:
    lines = [encoded(incoming(n, request_in_url=f"/{n}/{'x' * 3000}")) for n in range(300)]
    (row,) = told("* | stats list(RequestInURL) | head 1", *lines)["rows"]
    assert len(row[0]) == answers.SHOWN
    assert {len(text) for text in row[0]} == {2001}
    (row,) = told("* | head 1 | eval n=1e308*10 | table n", *lines)["rows"]
    assert row in (["inf"], [None])


def test_more_rows_than_are_shown_are_told_of() -> None:
    lines = [encoded(incoming(n)) for n in range(answers.SHOWN + 1)]
    assert told("* | table MessageID", *lines)["more"] is True
    assert len(told("*", *lines)["events"]) == answers.SHOWN
