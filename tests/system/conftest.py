"""Shows what the programs of a failed test have printed, and their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.servers import Program

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Program):
                log = b"".join(value.log.lines[-30:]).decode("utf-8", "replace")
                report.sections.append((f"{name}: output", value.output[-8000:]))
                report.sections.append((f"{name}: log", log))
    return report
