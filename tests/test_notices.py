"""What the operator is told, and that nobody who does not listen holds anything up."""

from __future__ import annotations

import io
import os
import sys

import pytest

from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode


def test_a_notice_is_a_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    notice("the disk is full")
    assert capsys.readouterr().err == "gatewaylog: the disk is full\n"


def test_the_stack_of_an_error_stands_behind_its_notice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notice("the rules raised", "ERROR", SystemCode.INTERNAL, error=LookupError("odd"))
    assert capsys.readouterr().err == "gatewaylog: the rules raised\nLookupError: odd\n"


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_without_standard_error_nobody_is_told(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    notice("nobody hears")


def test_standard_error_that_nobody_reads_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream, os.fdopen(reader, "rb") as read:
        monkeypatch.setattr(sys, "stderr", stream)
        for _ in range(5_000):
            notice("x" * 99)
        monkeypatch.undo()
        stream.close()
        assert set(read.read().splitlines()) == {b"gatewaylog: " + b"x" * 99}
