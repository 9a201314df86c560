"""Lines to syslog servers: one that a test plays, a real rsyslog and a real syslog-ng."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import trustme

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.running import ship
from gatewaylog.ship.settings import Settings
from gatewaylog.ship.stopping import Stop
from tests.reader.logs import complete, encoded, error
from tests.ship.killing import killed_at_random
from tests.ship.logs import QUICK, append, lines, ndjson, once
from tests.ship.shipping import shipping
from tests.ship.syslog_server import RealServer, Rsyslog, SyslogNg, SyslogServer, at_work
from tests.ship.test_page import PAGE
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[SyslogServer]:
    with contextlib.closing(SyslogServer()) as found:
        yield found


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Rsyslog]:
    server = Rsyslog(tmp_path / "rsyslog")
    with at_work(server):
        yield server


def told(*numbers: range) -> list[str]:
    return [f"gw1 gatewaylog INCOMING_REQUEST 6{line}" for line in lines(*numbers)]


def test_messages_are_of_rfc_5424(log: Path, state: Path, server: SyslogServer) -> None:
    append(log, [1])
    more = b"".join([encoded(complete(1)), encoded(error(1)), encoded(error(2, status_code=401))])
    log.write_bytes(log.read_bytes() + more + b"what? \xff\n")
    once(log, state, to="syslog", url=f"tcp://127.0.0.1:{server.port}", host="gw ü1", job="edge")
    assert [head[0] for head in server.heads] == [b"134", b"134", b"131", b"132", b"134"]
    assert server.heads[0][1:] == (
        *(b"2023-11-14T22:13:20.001000Z", b"gw__1", b"edge", b"INCOMING_REQUEST"),
    )
    assert server.heads[4][4] == b"UNREAD"
    assert server.lines[0] == lines([1])[0]
    assert server.lines[4] == "what? \\xff"


def test_what_a_broken_connection_may_have_lost_comes_again(
    log: Path, state: Path, server: SyslogServer
) -> None:
    server.breaks = [20_000, 100_000, 5_000, 200_000]
    append(log, range(700))  # not more than is sent again
    once(log, state, to="syslog", url=f"tcp://127.0.0.1:{server.port}")
    assert server.connections >= 4
    assert set(server.lines) == set(lines(range(700)))
    assert len(server.lines) > 700


def test_no_more_than_256_kib_come_again(log: Path, state: Path, server: SyslogServer) -> None:
    append(log, range(4000))
    with shipping(log, state, to="syslog", url=f"tcp://127.0.0.1:{server.port}"):
        wait_for(lambda: len(server.lines) == 4000)
        server.hang_up()
        append(log, [4000])
        wait_for(lambda: lines([4000])[0] in server.lines)
    again = server.lines[4000:-1]
    size = sum(len(text) for text in again)
    assert server.lines[:4000] == lines(range(4000))
    assert again == lines(range(4000 - len(again), 4000))
    assert 150 * 1024 < size < 256 * 1024


def test_a_connection_that_the_server_closed_meanwhile_is_seen(
    log: Path, state: Path, server: SyslogServer
) -> None:
    server.breaks = [1]
    append(log, range(3))
    with shipping(log, state, to="syslog", url=f"tcp://127.0.0.1:{server.port}"):
        wait_for(lambda: server.connections == 1 and len(server.lines) > 0)
        append(log, range(3, 6))
        wait_for(lambda: set(server.lines) == set(lines(range(6))))


def test_a_server_that_never_closes_is_waited_for_a_while_alone(log: Path, state: Path) -> None:
    append(log, range(3))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        once(log, state, to="syslog", url=url, timeout=0.2)
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(65536).count(b">1 2023") == 3


def test_tls_is_verified(log: Path, state: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    append(log, range(500))
    with contextlib.closing(SyslogServer(context)) as server:
        url = f"tls://localhost:{server.port}"
        hasty = replace(QUICK, patience=0.05)
        settings = Settings(to="syslog", url=url)
        with pytest.raises(
            ShipError, match="localhost: wrong certificate: unable to get local issuer"
        ):
            ship(settings, [log], state, Stop(), once=True, pace=hasty)
        assert server.lines == []
        once(log, state, to="syslog", url=url, ca=str(tmp_path / "ca.pem"))
        assert server.lines == lines(range(500))
    with pytest.raises(ShipError, match=r"nowhere\.pem: is no file of certificates"):
        once(log, state, to="syslog", url=url, ca=str(tmp_path / "nowhere.pem"))


def test_a_datagram_a_line_over_udp(log: Path, state: Path) -> None:
    append(log, range(20))
    log.write_bytes(log.read_bytes() + b"x" * 70_000 + b"\n")
    append(log, range(20, 30))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        once(log, state, to="syslog", url=f"udp://127.0.0.1:{receiver.getsockname()[1]}")
        got = [receiver.recv(65536).partition(b" - INCOMING_REQUEST - ")[2] for _ in range(30)]
    assert [line.decode() for line in got] == lines(range(30))
    (letter,) = ndjson(state / "dead-letters.ndjson")
    assert "too long for one datagram" in letter["reason"]


def test_a_unix_socket_that_comes_later_is_found(log: Path, state: Path, tmp_path: Path) -> None:
    append(log, range(5))
    path = tmp_path / "dev-log"
    with (
        shipping(log, state, to="syslog", url=f"unix://{path}"),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        wait_for(state.exists)
        receiver.bind(str(path))
        receiver.settimeout(10)
        got = [receiver.recv(65536).partition(b" - INCOMING_REQUEST - ")[2] for _ in range(5)]
        assert [line.decode() for line in got] == lines(range(5))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:1",
        "http://host",
        "tcp://",
        "tcp://host/x",
        "tcp://u:p@host",
        "unix://x",
        "tcp://h:0",
    ],
)
def test_an_address_that_is_none_is_refused(log: Path, state: Path, url: str) -> None:
    with pytest.raises(ShipError, match="syslog: url must be one like"):
        once(log, state, to="syslog", url=url)


@pytest.mark.system
def test_rsyslog_gets_each_line_over_tcp(log: Path, state: Path, real: Rsyslog) -> None:
    append(log, range(3000))
    long = encoded(complete(1, request_in_url="/" + "x" * 9000))
    log.write_bytes(log.read_bytes() + long)
    once(log, state, to="syslog", url=f"tcp://127.0.0.1:{real.port}", host="gw1")
    wait_for(lambda: len(real.got) == 3001)
    assert real.got[:-1] == told(range(3000))
    assert real.got[-1].endswith(long.decode().rstrip("\n"))


@pytest.mark.system
def test_rsyslog_configured_as_the_page_says_writes_the_log_again(
    log: Path, state: Path, real: Rsyslog
) -> None:
    (text,) = re.findall(r"^global.*?(?=^```)", PAGE, re.MULTILINE | re.DOTALL)
    real.end()
    real.configured_by(text)
    real.start()
    append(log, range(3000))
    once(log, state, to="syslog", url=f"tcp://127.0.0.1:{real.port}")
    wait_for(lambda: len(real.got) == 3000)
    assert real.file.read_bytes() == log.read_bytes()


@pytest.mark.system
@pytest.mark.parametrize("way", ["udp", "unix"])
def test_rsyslog_gets_each_line_by_datagrams(
    log: Path, state: Path, real: Rsyslog, way: str
) -> None:
    append(log, range(100))
    url = f"udp://127.0.0.1:{real.port}" if way == "udp" else f"unix://{real.unix}"
    once(log, state, to="syslog", url=url, host="gw1")
    wait_for(lambda: len(real.got) == 100)
    assert real.got == told(range(100))


@pytest.mark.system
def test_syslog_ng_gets_each_line_over_tcp(log: Path, state: Path, tmp_path: Path) -> None:
    server = SyslogNg(tmp_path / "syslog-ng")
    append(log, range(3000))
    long = encoded(complete(1, request_in_url="/" + "x" * 9000))
    log.write_bytes(log.read_bytes() + long)
    with at_work(server):
        once(log, state, to="syslog", url=f"tcp://127.0.0.1:{server.port}", host="gw1")
        wait_for(lambda: len(server.got) == 3001)
    assert server.got[:-1] == told(range(3000))
    assert server.got[-1].endswith(long.decode().rstrip("\n"))


@pytest.mark.system
@pytest.mark.parametrize("kind", [Rsyslog, SyslogNg])
def test_a_real_server_killed_and_started_again_has_each_line(
    log: Path, state: Path, tmp_path: Path, kind: type[Rsyslog | SyslogNg]
) -> None:
    """All of it is within the last 256 KiB, so that nothing is lost."""
    real = kind(tmp_path / "real")
    with at_work(real):
        url = f"tcp://127.0.0.1:{real.port}"
        with shipping(log, state, to="syslog", url=url, host="gw1"):
            for number in range(0, 200, 50):
                append(log, range(number, number + 50))
                _wait_until_got(real, told(range(number, number + 50)))
                real.end(signal.SIGKILL)
                append(log, range(1000 + number, 1050 + number))
                real.start()
            _wait_until_got(real, told(range(1150, 1200)))
    assert set(real.got) == {*told(range(200)), *told(range(1000, 1200))}


def _wait_until_got(server: RealServer, expected: list[str]) -> None:
    wait_for(lambda: set(server.got) >= set(expected))


@pytest.mark.system
def test_killed_at_random_a_server_that_stays_has_each_line(
    log: Path, state: Path, server: SyslogServer
) -> None:
    written = killed_at_random(
        log,
        state,
        None,
        progress=lambda: len(server.lines),  # a connection may be older than the wait
        to="syslog",
        url=f"tcp://127.0.0.1:{server.port}",
        timeout=2.0,
    )
    wait_for(lambda: set(server.lines) == set(lines(range(written))))
    assert ndjson(state / "dead-letters.ndjson") == ndjson(state / "gaps.ndjson") == []
