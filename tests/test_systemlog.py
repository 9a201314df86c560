"""The system log: levels, the console, the rolling file, details, codes, sessions."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from gatewaylog.exceptions import LogError
from gatewaylog.exchange import Exchange, running
from gatewaylog.gateway.server import say
from gatewaylog.loss import Loss
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode
from gatewaylog.systemlog import SystemLog, SystemLogOptions
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Opens = Callable[..., SystemLog]

_TIME = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] "


@pytest.fixture
def system_log() -> Iterator[Opens]:
    opened: list[SystemLog] = []

    def open_(**options: object) -> SystemLog:
        opened.append(SystemLog(SystemLogOptions(**options)))  # type: ignore[arg-type]
        return opened[-1]

    yield open_
    for log in opened:
        log.close()


def test_the_console_has_time_level_logger_and_message(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log()
    logging.getLogger("gatewaylog.auth.tokens").warning("the store is %s", "slow")
    logging.getLogger("gatewaylog.auth.tokens").debug("not told")
    assert re.fullmatch(_TIME + r"\[WARNING\] tokens the store is slow\n", capsys.readouterr().err)


def test_notices_are_said_in_it_and_on_standard_error_without_it(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    log = system_log()
    notice("the disk is full")
    log.close()
    notice("the disk is full")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("[WARNING] gatewaylog the disk is full")
    assert second == "gatewaylog: the disk is full"


def test_the_file_has_the_pattern_of_the_page(system_log: Opens, tmp_path: Path) -> None:
    system_log(path=f"{tmp_path}/system.log", console=False)
    logging.getLogger("gatewaylog.gateway").info("up")
    text = (tmp_path / "system.log").read_text()
    pattern = r"INFO  gateway\.test_the_file_has_the_pattern_of_the_page\(\) -> up\n"
    assert re.fullmatch(_TIME + pattern, text)


def test_codes_and_the_exchange_stand_behind_the_message(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log()
    log = logging.getLogger("gatewaylog.audit")
    log.error("no answer", extra={"code": SystemCode.RESOURCE_CONNECT, "session": "s1"})
    exchange = Exchange.__new__(Exchange)
    exchange.message_id = "urn:uuid:1"
    token = running.set(exchange)
    log.error("no answer")
    running.reset(token)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("no answer (0x0021) [s1]")
    assert second.endswith("no answer [urn:uuid:1]")


def test_each_logger_may_have_its_level(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log(level="ERROR", levels={"gatewaylog.auth": "DEBUG"})
    logging.getLogger("gatewaylog.auth.jwks").debug("fetched")
    logging.getLogger("gatewaylog.gateway").warning("not told")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("[DEBUG] jwks fetched")


def test_details_are_file_line_and_stack(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log(details=True)
    try:
        raise ValueError("odd\n[2026-01-01 00:00:00] [INFO] forged")
    except ValueError:
        logging.getLogger("gatewaylog").exception("failed")
    first, *stack = capsys.readouterr().err.splitlines()
    assert re.search(r" failed \(MainThread test_systemlog\..*test_systemlog\.py:\d+\)$", first)
    assert stack[0] == "\tTraceback (most recent call last):"
    assert all(line.startswith("\t") for line in stack)


def test_a_record_that_was_made_elsewhere_has_its_function_without_the_class(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log(details=True)
    log = logging.getLogger("gatewaylog")
    log.handle(log.makeRecord("gatewaylog", logging.INFO, "/a/b.py", 7, "up", (), None, "run"))
    assert "up (MainThread b.run, /a/b.py:7)" in capsys.readouterr().err


def test_without_details_there_is_no_stack(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log()
    logging.getLogger("gatewaylog").error("failed", exc_info=ValueError("odd"), stack_info=True)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_stack_may_be_told_without_an_exception(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log(details=True)
    logging.getLogger("gatewaylog").error("where", stack_info=True)
    assert "\tStack (most recent call last):" in capsys.readouterr().err


def test_sql_is_told_in_debug_with_details(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log(level="DEBUG", details=True)
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    assert "[INFO] Engine SELECT 1" in capsys.readouterr().err


def test_no_message_forges_a_line_or_steers_a_terminal(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log()
    logging.getLogger("gatewaylog").info("a\n[x] b\x1b[2J\u202e\udc80")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r"a\u000a[x] b\u001b[2J\u202e\udc80")


def test_the_file_rolls_and_the_newest_are_kept(system_log: Opens, tmp_path: Path) -> None:
    log = system_log(path=f"{tmp_path}/system.log", max_size=70_000, backups=2, console=False)
    for number in range(6000):
        logging.getLogger("gatewaylog").info("%d %s", number, "x" * 40)
    assert len(list(tmp_path.glob("system.log*"))) > 3
    log.keep_house()
    wait_for(lambda: len(list(tmp_path.glob("system.log*"))) == 3)
    assert "5999 xxx" in (tmp_path / "system.log").read_text()


def test_a_file_that_takes_nothing_is_told_once(
    system_log: Opens, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = system_log(path=f"{tmp_path}/system.log", console=False)
    assert log._sink is not None
    log._sink.close()
    logging.getLogger("gatewaylog").info("a")
    logging.getLogger("gatewaylog").info("b")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_that_can_not_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogError):
        SystemLog(SystemLogOptions(path=str(tmp_path)))


def test_a_console_that_is_closed_stops_nothing(
    system_log: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    system_log()
    monkeypatch.setattr("sys.stderr", None)
    notice("nobody hears")


def test_a_notice_is_its_own_rooms_with_its_code_function_and_line(
    system_log: Opens, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    system_log(details=True, path=f"{tmp_path}/system.log")
    Loss("api.log").add(1, "No space left on device")
    line = capsys.readouterr().err.splitlines()[0]
    assert "] [WARNING] loss can't write api.log: " in line
    assert re.search(
        r" \(0x0022\) \(MainThread loss\.Loss\.add, .*/gatewaylog/loss\.py:\d+\)$", line
    )
    assert " WARNING loss.add() -> can't write" in (tmp_path / "system.log").read_text()


def test_what_the_gateway_says_is_not_said_by_who_passes_it_on(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log(details=True)
    say("up")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(
        r"\(MainThread test_systemlog\.test_what_the_.*test_systemlog\.py:\d+\)$", line
    )


def test_the_level_of_a_room_is_that_of_its_notices(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log(level="DEBUG", levels={"gatewaylog.loss": "CRITICAL"})
    Loss("api.log").add(1, "No space left on device")
    notice("told")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("[WARNING] gatewaylog told")


def test_a_program_of_a_package_of_ours_has_the_packages_logger(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    system_log()
    names = {"__name__": "__main__", "__package__": "gatewaylog.ship", "notice": notice}
    exec("notice('ended')", names)
    exec("notice('ended')", names | {"__package__": None})
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("[WARNING] ship ended")
    assert second.endswith("[WARNING] gatewaylog ended")


def test_the_stack_of_a_notices_error_is_told_with_details(
    system_log: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    for details in (False, True):
        log = system_log(details=details, level="DEBUG")
        notice("failed", "ERROR", SystemCode.INTERNAL, error=LookupError("odd"))
        log.close()
        told = capsys.readouterr().err.splitlines()
        assert "[ERROR] gatewaylog failed (0x0001)" in told[0]
        assert told[1:] == ["\tLookupError: odd"] * details


def test_the_codes_are_openaselects() -> None:
    assert len(SystemCode) == 20
    assert SystemCode["CRYPTOGRAPHY_VERIFY"].value == 0x0032
