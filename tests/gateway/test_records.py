"""What the gateway records of itself in the event log."""

from __future__ import annotations

import asyncio
import signal
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gatewaylog.audit.events import AuditEvent, EventLog, GatewayEvent
from gatewaylog.audit.events.account import account
from gatewaylog.audit.events.line import parse_line
from gatewaylog.auth.api_keys import new_key
from gatewaylog.cli import serve
from gatewaylog.exceptions import ConfigurationError, LogError
from gatewaylog.gateway.records import Losses, Records, running
from gatewaylog.sinks import FileSink
from tests.audit.events.test_log import FullSink
from tests.gateway.configured import problem, read
from tests.http_client import request
from tests.running import api, launched, toml, until
from tests.running import running as gateway_running
from tests.strict_backend import StrictBackend
from tests.waiting import wait_for

if TYPE_CHECKING:
    from gatewaylog.gateway.config import Config


def recorded(path: Path) -> list[AuditEvent]:
    return [parse_line(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def table(folder: Path, more: str = "") -> str:
    return f'[event_log]\npath = "{folder}/event.log"\n{more}'


def configuration(folder: Path, *tables: str) -> Config:
    return read(toml(folder, table(folder), *tables))


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_gateway_records_what_it_is_told_once(tmp_path: Path, workers: int) -> None:
    key = new_key()[1]
    server = f"workers = {workers}"
    text = toml(tmp_path, table(tmp_path), api("http://b"), server=server)
    later = toml(
        tmp_path,
        table(tmp_path),
        api("http://b", more='verbosity = "errors"'),
        f'[[application]]\nname = "shop"\nowner = "ann"\nkeys = ["{key}"]',
        server=server,
    )
    path = tmp_path / "event.log"
    async with launched(tmp_path, text) as gateway:
        gateway.config.write_text("nonsense")
        gateway.signal(signal.SIGHUP)
        await until(lambda: len(recorded(path)) == 3)
        gateway.config.write_text(later)
        gateway.signal(signal.SIGHUP)
        await until(lambda: len(recorded(path)) == 6)
        assert await gateway.stop() == 0
    events = recorded(path)
    assert [(event.event, event.requestor) for event in events] == [
        ("GATEWAY_STARTED", None),
        ("CONFIGURATION_LOADED", None),
        ("CONFIGURATION_REFUSED", None),
        ("CONFIGURATION_LOADED", None),
        ("VERBOSITY_CHANGED", None),
        ("KEY_CREATED", "shop"),
        ("GATEWAY_STOPPED", None),
    ]
    assert events[4].detail == "acme--Echo:v1.0.0: from events to errors"
    assert events[5].detail == f"key:{key[7:15]}"
    assert {(event.user, event.authority) for event in events} == {
        (account(), "gatewaylog.gateway")
    }
    assert key not in path.read_text()


@pytest.mark.parametrize("path", ["event.log", "-", "missing/\\u0000"])
def test_a_configuration_that_is_refused_at_the_start_is_recorded_where_it_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gateway.toml").write_text(f'[event_log]\npath = "{path}"\n[server]\nworkers = 0')
    with pytest.raises(ConfigurationError):
        serve.run(Namespace(file=Path("gateway.toml")))
    told = [event.detail for event in recorded(tmp_path / "event.log")]
    expected = ["gateway.toml: server.workers: must be at least 1"] if path == "event.log" else []
    assert told == expected


def test_a_client_whose_secret_is_changed_has_a_new_key(tmp_path: Path) -> None:
    old, new = (
        f'[[application]]\nname = "shop"\nowner = "ann"\nclient_id = "c"\nclient_secret = "{kept}"'
        for _, kept in (new_key(), new_key())
    )
    Records(configuration(tmp_path, old)).of(lambda: configuration(tmp_path, new))()
    assert [event.event for event in recorded(tmp_path / "event.log")] == [
        "CONFIGURATION_LOADED",
        "KEY_CREATED",
        "KEY_DISABLED",
    ]


def test_a_key_that_is_gone_is_recorded(tmp_path: Path) -> None:
    key = new_key()[1]
    application = f'[[application]]\nname = "shop"\nowner = "ann"\nkeys = ["{key}"]'
    records = Records(configuration(tmp_path, application))
    records.of(lambda: configuration(tmp_path))()
    assert [event.event for event in recorded(tmp_path / "event.log")] == [
        "CONFIGURATION_LOADED",
        "KEY_DISABLED",
    ]


def test_an_event_log_that_ends_or_moves_tells_so(tmp_path: Path) -> None:
    """Whoever switches it off leaves in it that it was, and what else changed at that time."""
    key = new_key()[1]
    there = tmp_path / "new"
    there.mkdir()
    texts = (
        toml(there, table(there), api("http://b")),
        toml(tmp_path, f'[[application]]\nname = "shop"\nowner = "eve"\nkeys = ["{key}"]'),
        toml(tmp_path),
        toml(tmp_path, table(tmp_path)),
    )
    records = Records(configuration(tmp_path))
    for text in texts:
        records.of(lambda text=text: read(text))()  # type: ignore[misc]
    moved, started = f"the event log moves to {there}/event.log", "0 APIs and 0 applications"
    assert told_in(tmp_path) == [
        ("CONFIGURATION_LOADED", f"1 API and 0 applications; {moved}"),
        ("LOG_CLOSED", moved),
        ("CONFIGURATION_LOADED", started),
    ]
    assert told_in(there) == [
        (
            "CONFIGURATION_LOADED",
            f"1 API and 0 applications; the event log was {tmp_path}/event.log",
        ),
        ("CONFIGURATION_LOADED", "0 APIs and 1 application; the event log ends here"),
        ("KEY_CREATED", f"key:{key[7:15]}"),
        ("LOG_CLOSED", "the event log ends here"),
    ]
    assert {event.user for event in recorded(tmp_path / "event.log")} == {account()}


def told_in(folder: Path) -> list[tuple[str, str | None]]:
    return [(str(event.event), event.detail) for event in recorded(folder / "event.log")]


def test_an_event_log_that_can_not_be_opened_takes_no_others_place(tmp_path: Path) -> None:
    (tmp_path / "new" / "event.log").mkdir(parents=True)
    records = Records(configuration(tmp_path))
    with pytest.raises(LogError):
        records.of(lambda: configuration(tmp_path / "new"))()
    records.tell(GatewayEvent.GATEWAY_STOPPED, "as before")
    refused, stopped = told_in(tmp_path)
    assert refused[0] == "CONFIGURATION_REFUSED"
    assert f"{tmp_path}/new/event.log" in (refused[1] or "")
    assert stopped == ("GATEWAY_STOPPED", "as before")


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_gateway_tells_at_sighup_that_its_event_log_ends(
    tmp_path: Path, workers: int
) -> None:
    server = f"workers = {workers}"
    async with launched(tmp_path, toml(tmp_path, table(tmp_path), server=server)) as gateway:
        gateway.config.write_text(toml(tmp_path, server=server))
        gateway.signal(signal.SIGHUP)
        await gateway.says("serving by the new configuration")
        assert await gateway.stop() == 0
    names = [name for name, _ in told_in(tmp_path)]
    assert names == ["GATEWAY_STARTED", *["CONFIGURATION_LOADED"] * 2, "LOG_CLOSED"]


def test_without_a_path_nothing_is_recorded(tmp_path: Path) -> None:
    with running(read(toml(tmp_path))) as records:
        records.tell(GatewayEvent.RETENTION_RUN, "nothing")
    assert not list(tmp_path.iterdir())


def test_what_can_not_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "event.log").mkdir()
    with pytest.raises(LogError), running(configuration(tmp_path)):
        pass


def test_what_can_not_be_opened_later_is_told_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(configuration(tmp_path)) as records:
        (tmp_path / "event.log").unlink()
        (tmp_path / "event.log").mkdir()
        records.tell(GatewayEvent.RETENTION_RUN, "nothing")
    assert "RETENTION_RUN is not recorded" in capsys.readouterr().err


def test_a_refused_configuration_is_still_refused(tmp_path: Path) -> None:
    def refuse() -> Config:
        raise ConfigurationError(["gateway.toml: server.workers: must be at least 1"])

    with pytest.raises(ConfigurationError):
        Records(configuration(tmp_path)).of(refuse)()
    (event,) = recorded(tmp_path / "event.log")
    assert event.detail == "gateway.toml: server.workers: must be at least 1"


def test_events_that_are_lost_are_recorded_at_first_then_each_minute() -> None:
    sink, now = FullSink(), 100.0
    losses = Losses(EventLog(sink), lambda: now)
    for lost, seconds in ((0, 0), (2, 1), (5, 2), (9, 62), (9, 200)):
        now = 100.0 + seconds
        losses.look(lost)
    losses.look(10, is_last=True)
    told = [parse_line(line).detail or "" for line in sink.lines]
    assert [text.split(": ")[1].split()[0] for text in told] == ["2", "7", "1"]


def test_losses_that_the_event_log_can_not_take_either_are_kept() -> None:
    """Each is told once, at the first look when there is room, and as itself alone."""
    sink, now = FullSink(), 100.0
    losses = Losses(EventLog(sink), lambda: now)
    sink.full = True
    for lost in (13, 40, 53):
        losses.look(lost)
    sink.full = False
    losses.look(53)
    losses.look(53, is_last=True)
    (told,) = sink.lines
    assert " 53 events of the access log were lost" in (parse_line(told).detail or "")


def test_records_that_find_no_room_are_told_by_the_next_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = Records(configuration(tmp_path))
    records.tell(GatewayEvent.GATEWAY_STARTED, "first")
    with monkeypatch.context() as patched:
        patched.setattr(FileSink, "write", lambda *_: "No space left on device")
        records.tell(GatewayEvent.CONFIGURATION_LOADED, "second")
        records.tell(GatewayEvent.CONFIGURATION_LOADED, "third")
    records.tell(GatewayEvent.GATEWAY_STOPPED, "last")
    assert told_in(tmp_path) == [
        ("GATEWAY_STARTED", "first"),
        ("LOG_LOST", "2 records of the gateway's own were not written to this log"),
        ("GATEWAY_STOPPED", "last"),
    ]
    assert "No space left on device" in capsys.readouterr().err


async def test_a_worker_moves_with_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    text = toml(tmp_path, table(tmp_path))
    async with StrictBackend(), gateway_running(text) as gateway:
        first = gateway.serving.events
        gateway.serving.reload(gateway.load())
        assert gateway.serving.events is first
        gateway.text = toml(tmp_path, table(tmp_path / "new"))
        gateway.serving.reload(gateway.load())
        assert gateway.serving.events is not first
        gateway.serving.look()
        gateway.serving.reopen()
    assert (tmp_path / "new" / "event.log").exists()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('format = "xml"', "event_log.format: must be one of 'line' or 'json'"),
        ("backups = 3", "event_log.backups: needs an event log that is a file: give path"),
        ('durability = "disk"', 'event_log.durability: must be "kernel" where'),
        ('pth = "a"', "event_log.pth: unknown key; did you mean path?"),
    ],
)
def test_a_table_that_can_not_be_is_refused(keys: str, told: str) -> None:
    assert problem(f"[event_log]\n{keys}\n").startswith(told)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('level = "LOUD"', "system_log.level: must be one of 'DEBUG', 'INFO'"),
        ('levels = {"gatewaylog.auth" = "LOUD"}', 'system_log.levels."gatewaylog.auth": must be'),
        ('levels = {httpx = "INFO"}', "system_log.levels: must be names of loggers"),
        ("backups = -1", "system_log.backups: must be at least 0"),
    ],
)
def test_a_system_log_that_can_not_be_is_refused(keys: str, told: str) -> None:
    assert problem(f"[system_log]\n{keys}\n").startswith(told)


def test_tables_of_logs_that_are_files_are_taken() -> None:
    event = '[event_log]\npath = "e"\nbackups = 3\nkeep = "90d"\ndurability = "disk"\n'
    config = read(
        event + '[system_log.levels]\ngatewaylog = "ERROR"\n"gatewaylog.auth" = "DEBUG"\n'
    )
    assert (config.event_log.backups, config.event_log.durability) == (3, "disk")
    assert config.system_log.levels == {"gatewaylog": "ERROR", "gatewaylog.auth": "DEBUG"}


def test_rules_have_their_thresholds_in_the_configuration() -> None:
    config = read('[rules]\ndisabled = ["R05"]\n[rules.thresholds.R04]\nfactor = 5\nleast = 0.5\n')
    assert config.rules.disabled == ("R05",)
    assert config.rules.thresholds == {"R04": {"factor": 5, "least": 0.5}}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('[rules]\ndisabled = ["R99"]', "rules.disabled: must be among R01, R02"),
        ("[rules.thresholds.R99]\na = 1", "rules.thresholds: must be tables of R01, R02"),
        ('[rules.thresholds.R04]\nfactor = "a"', "rules.thresholds: R04: must be a table of num"),
        ("[rules.thresholds.R04]\nfactors = 1", "rules.thresholds: R04.factors: R04 has no such"),
        ("[rules]\nthresholds = 1", "rules.thresholds: must be a table"),
        ('[rules]\nwebhook = "ftp://h"', 'rules.webhook: must be a URL like "https://'),
    ],
)
def test_rules_that_can_not_be_are_refused(keys: str, told: str) -> None:
    assert problem(f"{keys}\n").startswith(told)


def test_an_account_without_a_name_is_called_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000_000)
    assert account() == "4000000000"


async def test_the_system_log_follows_the_configuration(tmp_path: Path) -> None:
    system = f'[system_log]\npath = "{tmp_path}/system.log"\n'
    async with launched(tmp_path, toml(tmp_path, system)) as gateway:
        assert "listening on" in (tmp_path / "system.log").read_text()
        gateway.config.write_text(toml(tmp_path, system + "console = false\n"))
        gateway.signal(signal.SIGHUP)
        written = (tmp_path / "system.log").read_text
        await until(lambda: "serving by the new configuration" in written())
        assert await gateway.stop() == 0
    assert not any("serving by the new" in line for line in gateway.said)


async def test_what_retention_deletes_is_recorded_once(tmp_path: Path) -> None:
    """By whichever worker it was."""
    small = 'max_size = "1KB"\nbackups = 1'
    async with StrictBackend() as backend:
        text = toml(tmp_path, table(tmp_path), api(backend.url), log=small, server="workers = 2")
        async with launched(tmp_path, text) as gateway:
            async with asyncio.timeout(20):
                while not runs(tmp_path):
                    await gateway.ask(request(b"/echo/x"))
            assert await gateway.stop() == 0
    names = [name for event in runs(tmp_path) for name in names_in(event)]
    assert len(names) == len(set(names))
    assert not [name for name in names if (tmp_path / name).exists()]
    assert {event.user for event in runs(tmp_path)} == {account()}


def runs(folder: Path) -> list[AuditEvent]:
    events = recorded(folder / "event.log")
    return [event for event in events if event.event == GatewayEvent.RETENTION_RUN]


def names_in(event: AuditEvent) -> list[str]:
    return (event.detail or "").partition("/api.log deleted: ")[2].split(", ")


def test_the_event_log_tells_of_its_own_files(tmp_path: Path) -> None:
    path = tmp_path / "event.log"
    log = EventLog(path, max_size=1000, backups=1)
    while len(list(tmp_path.glob("event.log.*"))) < 2:
        log.record(AuditEvent(event="E"))
        log.look()
    wait_for(lambda: runs(tmp_path))
    log.close()
    assert f"1 rotated file of {path} deleted: event.log." in (runs(tmp_path)[0].detail or "")
