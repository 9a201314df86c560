"""`gatewaylog ship` as a user runs it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import gatewaylog, said_once, started
from tests.ship.counterparts import Collector, LokiStore, listening
from tests.ship.logs import append, lines, ndjson
from tests.sinks.full_disk import fill, small_file_system
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def test_a_log_is_shipped_once_and_its_status_shown(tmp_path: Path) -> None:
    store = LokiStore()
    append(tmp_path / "api.log", range(1500))
    with listening(store.take) as loki:
        to = ("--to", "loki", "--url", loki.url, "--state", "state")
        done = gatewaylog("ship", "api.log", *to, "--once", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert store.lines == lines(range(1500))
    append(tmp_path / "api.log", range(3))
    status = gatewaylog("ship", "status", "--state", "state", cwd=tmp_path)
    assert status.returncode == 0
    told = dict(line.split(None, 1) for line in status.stdout.splitlines())
    assert told["to"] == "loki, not running"
    assert told["logs"] == str(tmp_path / "api.log")
    size = sum(len(line) + 1 for line in lines(range(3)))
    assert told["behind"].startswith(f"3 events, {size} bytes, ")
    assert told["delivered"].startswith("1,500 events, the last at 20")


def test_status_tells_of_dead_letters_and_gaps(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    append(log, range(3))
    to = ("--to", "command", "--command", "sh -c 'exit 65'", "--state", "state", "--once")
    done = gatewaylog("ship", "api.log", *to, cwd=tmp_path)
    said = "refused for good, to the dead letters:"
    assert done.stderr.splitlines() == [
        f"gatewaylog: command: 1 {said} sh exited with 65",
        f"gatewaylog: command: 2 {said} see there",
    ]
    log.unlink()
    append(log, [9])
    fresh = gatewaylog("ship", "status", "--state", "state", cwd=tmp_path)
    assert f"new gap       gap in {log} from byte " in fresh.stdout.replace("api.log ", f"{log} ")
    gatewaylog("ship", "api.log", *to, cwd=tmp_path)
    known = gatewaylog("ship", "status", "--state", "state", cwd=tmp_path)
    assert "dead letters  4, in state/dead-letters.ndjson" in known.stdout
    assert "gaps          1, in state/gaps.ndjson" in known.stdout


def test_a_shipper_that_is_given_up_holds_no_rotation_back(tmp_path: Path) -> None:
    append(tmp_path / "api.log", range(3))
    to = ("--to", "command", "--command", "true", "--state", "state", "--once")
    assert gatewaylog("ship", "api.log", *to, cwd=tmp_path).returncode == 0
    status = gatewaylog("ship", "status", "--state", "state", cwd=tmp_path).stdout
    assert f"rotation      waits for it at {tmp_path / 'api.log'}\n" in status
    done = gatewaylog("ship", "forget", "--state", "state", cwd=tmp_path)
    said = f"{tmp_path / 'api.log'}: its rotation waits for state no more\n"
    assert (done.returncode, done.stdout) == (0, said)
    assert "rotation" not in gatewaylog("ship", "status", "--state", "state", cwd=tmp_path).stdout
    again = gatewaylog("ship", "forget", "--state", "state", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, "no log's rotation waits for state\n")


def test_a_file_that_is_not_there_is_an_error_with_once(tmp_path: Path) -> None:
    to = ("--to", "command", "--command", "true", "--state", "s", "--once")
    done = gatewaylog("ship", "api.lgo", *to, cwd=tmp_path)
    told = "gatewaylog: api.lgo: no such file; nothing is shipped"
    assert (done.returncode, said_once(done)) == (1, told)
    assert not (tmp_path / "s").exists()
    append(tmp_path / "api.log.1", range(3))  # it is rotated just now
    assert gatewaylog("ship", "api.log", *to, cwd=tmp_path).returncode == 0
    done = gatewaylog("ship", "*.log.*", *to, cwd=tmp_path)
    told = "gatewaylog: *.log.*: names no log that is written to"
    assert (done.returncode, said_once(done)) == (2, told)


def test_a_rotated_file_is_shipped_alone_and_registers_nowhere(tmp_path: Path) -> None:
    append(tmp_path / "api.log.1", range(3))
    append(tmp_path / "api.log", range(3, 6))
    to = ("--to", "command", "--command", "sh -c 'cat >> out'", "--state", "s", "--once")
    assert gatewaylog("ship", "api.log.1", *to, cwd=tmp_path).returncode == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "api.log.1").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"api.log", "api.log.1", "out", "s"}
    status = gatewaylog("ship", "status", "--state", "s", cwd=tmp_path).stdout
    assert "behind        0 events" in status


def test_status_before_the_destination_said_yes(tmp_path: Path) -> None:
    (tmp_path / "api.log").touch()
    to = ("--to", "command", "--command", "cat", "--state", "state", "--once")
    assert gatewaylog("ship", "api.log", *to, cwd=tmp_path).returncode == 0
    status = gatewaylog("ship", "status", "--state", "state", cwd=tmp_path)
    assert "delivered     0 events, the last at no time yet" in status.stdout


def test_status_for_programs(tmp_path: Path) -> None:
    append(tmp_path / "api.log", range(3))
    to = ("--to", "command", "--command", "sh -c 'exit 65'", "--state", "state", "--once")
    gatewaylog("ship", "api.log", *to, cwd=tmp_path)
    (tmp_path / "api.log").unlink()
    append(tmp_path / "api.log", [9])
    status = gatewaylog("ship", "status", "--state", "state", "--output", "json", cwd=tmp_path)
    told = json.loads(status.stdout)
    (gap,) = told.pop("new_gaps")
    assert gap["reason"] == "the file is gone, and what stood there with it"
    assert told.pop("behind_seconds") > 1_000_000
    assert told.pop("delivered_at").startswith("20")
    assert told == {
        "to": "command",
        "running": False,
        "logs": [str(tmp_path / "api.log")],
        "behind_events": 1,
        "behind_bytes": len(lines([9])[0]) + 1,
        "delivered": 0,
        "dead_letters": 3,
        "dead_letters_file": "state/dead-letters.ndjson",
        "gaps": 0,
        "gaps_file": "state/gaps.ndjson",
        "rotation_waits_at": [str(tmp_path / "api.log")],
    }


def test_a_log_that_is_not_there_yet_is_told_and_waited_for(tmp_path: Path) -> None:
    to = ("ship", "api.log", "--to", "command", "--command", "sh -c 'cat >> out'", "--state", "s")
    with started(*to, cwd=tmp_path) as running:
        running.reads(r"gatewaylog: api\.log: is not there yet")
        wait_for((tmp_path / "s" / "checkpoint.json").exists)
        append(tmp_path / "api.log", range(3))
        wait_for((tmp_path / "out").exists)
        assert running.stopped_by(signal.SIGINT) == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "api.log").read_bytes()


def test_a_full_disk_under_the_state_ends_it_and_loses_nothing(tmp_path: Path) -> None:
    append(tmp_path / "api.log", range(100))
    to = ("ship", "api.log", "--to", "command", "--command", "sh -c 'exit 65'", "--once")
    with small_file_system(tmp_path, 128 * 1024) as small:
        filling = fill(small)
        full = gatewaylog(*to, "--state", str(small / "state"), cwd=tmp_path)
        assert full.returncode == 2
        assert said_once(full).endswith(": No space left on device")
        filling.write_bytes(b"\0" * 100 * 1024)  # there is room for some dead letters
        full = gatewaylog(*to, "--state", str(small / "state"), cwd=tmp_path)
        assert full.returncode == 2
        assert full.stderr.splitlines()[-1].endswith(": No space left on device")
        filling.unlink()
        assert gatewaylog(*to, "--state", str(small / "state"), cwd=tmp_path).returncode == 0
        letters = [letter["line"] for letter in ndjson(small / "state" / "dead-letters.ndjson")]
    assert letters == lines(range(100))


def test_it_goes_on_until_sigterm_and_a_second_one_exits_2(tmp_path: Path) -> None:
    store = LokiStore()
    log = tmp_path / "api.log"
    with listening(store.take) as loki:
        to = ("--to", "loki", "--url", loki.url, "--state", "state")
        with started("ship", "api.log", *to, cwd=tmp_path) as running:
            append(log, range(10))
            wait_for(lambda: len(store.lines) == 10)
            second = gatewaylog("ship", "api.log", *to, cwd=tmp_path)
            assert second.returncode == 2
            assert said_once(second) == "gatewaylog: state: another shipper is at work with it"
            append(log, range(10, 20))
            assert running.stopped_by(signal.SIGTERM) == 0
    assert store.lines == lines(range(20))


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    collector = Collector()
    append(tmp_path / "api.log", range(2))
    (tmp_path / "token").write_text(f"{Collector.TOKEN}\n")
    with listening(collector.take) as splunk:
        to = ("ship", "api.log", "--to", "splunk", "--url", splunk.url, "--state", "s", "--once")
        missing = gatewaylog(*to, cwd=tmp_path)
        assert "GATEWAYLOG_SHIP_TOKEN" in said_once(missing)
        wrong = gatewaylog(*to, cwd=tmp_path, GATEWAYLOG_SHIP_TOKEN="se-cret")
        assert "HTTP 403" in said_once(wrong)
        assert "se-cret" not in wrong.stderr
        assert gatewaylog(*to, "--token-file", "token", cwd=tmp_path).returncode == 0
        (tmp_path / "two").write_text("se-cret\nse-cret\n")
        two = gatewaylog(*to, "--token-file", "two", cwd=tmp_path)
        assert said_once(two).startswith("gatewaylog: two: must hold printable ASCII characters")
        assert "se-cret" not in two.stderr
        gone = gatewaylog(*to, "--token-file", "gone", cwd=tmp_path)
        assert said_once(gone) == "gatewaylog: gone: can't be read: No such file or directory"
    assert collector.lines == lines(range(2))


def test_secrets_of_the_environment_may_be_anothers(tmp_path: Path) -> None:
    store = LokiStore()
    append(tmp_path / "api.log", range(2))
    others: dict[str, Any] = {"GATEWAYLOG_SHIP_TOKEN": "t", "GATEWAYLOG_SHIP_PASSWORD": "p"}
    with listening(store.take) as loki:
        to = ("ship", "api.log", "--to", "loki", "--url", loki.url, "--once", "--state")
        assert gatewaylog(*to, "a", cwd=tmp_path, **others).returncode == 0
        assert gatewaylog(*to, "b", "--user", "me", cwd=tmp_path, **others).returncode == 0
    sent = [request.headers["authorization"] for request in loki.requests]
    assert sent == ["Bearer t", "Basic bWU6cA=="]
    program = ("--to", "command", "--command", "wc -l", "--state", "c", "--once")
    assert gatewaylog("ship", "api.log", *program, cwd=tmp_path, **others).returncode == 0


def test_a_user_without_a_password_is_told(tmp_path: Path) -> None:
    append(tmp_path / "api.log", range(2))
    with listening(lambda request: (200, {}, b"")) as server:
        to = ("ship", "api.log", "--to", "clickhouse", "--url", server.url, "--state", "s")
        done = gatewaylog(*to, "--once", "--user", "me", cwd=tmp_path)
    assert done.returncode == 0
    told = "clickhouse: user without a password: GATEWAYLOG_SHIP_PASSWORD is empty"
    assert said_once(done) == f"gatewaylog: {told}"


def test_the_log_of_the_configuration_is_shipped(tmp_path: Path) -> None:
    append(tmp_path / "my.log", range(2))
    (tmp_path / "gateway.toml").write_text('[log]\npath = "my.log"\n')
    to = ("--to", "command", "--command", "sh -c 'cat >> out'", "--state", "state", "--once")
    assert gatewaylog("ship", *to, cwd=tmp_path).returncode == 0
    assert (tmp_path / "out").read_bytes() == (tmp_path / "my.log").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("a.log",), "ship: --state FOLDER is missing: where the checkpoint is kept"),
        (("a.log", "--state", "s"), "ship: --to is missing: one of loki, splunk"),
        (
            ("-", "--state", "s", "--to", "loki"),
            "ship: follows files; a pipe can't be read again after a failure",
        ),
        (("status", "--state", "s"), "s: holds no checkpoint: nothing was shipped with it yet"),
        (
            ("a.log", "--state", "s", "--to", "command", "--command", "'"),
            "ship: argument --command: can't be read: No closing quotation",
        ),
        (
            ("a.log", "--state", "s", "--to", "loki", "--timeout", "0"),
            "ship: argument --timeout: must be seconds, more than 0 and at most 86400",
        ),
        (
            ("a.log", "--state", "s", "--to", "loki", "--timeout", "soon"),
            "ship: argument --timeout: must be seconds, more than 0 and at most 86400",
        ),
        (
            ("a.log", "--state", "", "--to", "loki"),
            "ship: argument --state: must name a folder",
        ),
        (
            ("a.log", "--state", "s", "--to", "loki", "--table", "x", "--command", "x"),
            "loki takes no command, table: its options are url, user, password, token, ca",
        ),
        (
            ("a.log", "--state", "s", "--to", "loki", "--url", "http://h", "--user", "me"),
            "loki: user needs a password: GATEWAYLOG_SHIP_PASSWORD, or a file that holds it",
        ),
        (
            ("a.log", "--state", "s", "--to", "loki", "--url", "http://h", "--tenant", "a\nb"),
            "loki: tenant must be printable ASCII characters in one line",
        ),
        (
            ("a.log", "--state", "s", "--to", "loki", "--url", "http://h", "--tenant", "\u00e9"),
            "loki: tenant must be printable ASCII characters in one line",
        ),
        (
            ("a.log", "--state", "s", "--to", "loki", "--url", "loki:3100"),
            "loki: url must be one like https://host:port",
        ),
    ],
)
def test_a_wrong_call_is_told_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "a.log").touch()
    done = gatewaylog("ship", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said_once(done).startswith(f"gatewaylog: {told}")
