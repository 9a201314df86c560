"""Lines to a syslog server: RFC 5424 over TCP, TLS, UDP or a unix socket.

Over TCP and TLS each message has its length before it (octet counting, RFC 6587 §3.4.1). Syslog
acknowledges nothing: what a connection had taken and the server had not read when it broke is sent
again, by sending the last 256 KiB again; a line may come twice, and more than that may be lost.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

from gatewaylog.exceptions import ShipError
from gatewaylog.ship.destination import Limits, Refused, TryAgain
from gatewaylog.ship.tls import trusted, why

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatewaylog.ship.records import Record
    from gatewaylog.ship.settings import Settings

_AGAIN = 256 * 1024  # bytes that are sent again after a broken connection
_FACILITY = 16 * 8  # local0
_ERROR, _WARNING, _INFO = 3, 4, 6
_PORTS = {"tcp": 601, "tls": 6514, "udp": 514}


def made(settings: Settings) -> Syslog:
    """Return the destination. Raises ShipError."""
    where = _where(settings.url)
    if where.scheme in {"tcp", "tls"}:
        secured = trusted(settings) if where.scheme == "tls" else None
        return Syslog(settings, Stream(where, settings.timeout, secured))
    return Syslog(settings, Datagrams(where, settings.timeout))


class Where(NamedTuple):
    """A server's address: a path for `unix`."""

    scheme: str
    host: str
    port: int


def _where(url: str) -> Where:
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
            return Where("unix", parts.path, 0)
        (parts.hostname or "").encode("idna")  # raises where a label is empty or too long
        bare = not parts.path.strip("/") and not parts.query and parts.username is None
        if parts.scheme in _PORTS and parts.hostname and bare and parts.port != 0:
            return Where(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])
    raise ShipError(
        "syslog: url must be one like tcp://host:601, tls://host:6514, udp://host:514"
        " or unix:///dev/log"
    )


class Way(Protocol):
    """How messages reach the server. Raises TryAgain and Refused."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Hand all over."""

    def finish(self) -> None:
        """Have the server read all that was handed over, as far as that can be had."""

    def close(self) -> None:
        """Let go of the connection."""


class Syslog:
    """A syslog server."""

    limits = Limits(size=128 * 1024, events=1000)

    def __init__(self, settings: Settings, way: Way) -> None:
        self._host = _name(settings.host or socket.gethostname(), 255)
        self._job = _name(settings.job, 48)
        self._way = way

    def prepare(self, records: Sequence[Record]) -> Sequence[bytes]:
        """Return a message for each line (RFC 5424 §6)."""
        return [self._message(record) for record in records]

    def _message(self, record: Record) -> bytes:
        moment = datetime.fromtimestamp(record.nanoseconds // 1000 / 10**6, UTC)
        stamp = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        event = _name(record.event, 32)
        head = f"<{_FACILITY + _severity(record)}>1 {stamp} {self._host} {self._job} - {event} - "
        return head.encode() + record.text.encode()

    def send(self, prepared: Sequence[bytes]) -> Sequence[tuple[int, str]]:
        """Hand over to the server; nothing says that it has read it."""
        self._way.send(prepared)
        return ()

    def finish(self) -> None:
        """Close in order, so that the server reads all that was handed over."""
        self._way.finish()

    def close(self) -> None:
        """Close the connection."""
        self._way.close()


class Stream:
    """A connection of TCP or TLS, which keeps what may have to be sent again."""

    def __init__(self, where: Where, timeout: float, secured: ssl.SSLContext | None) -> None:
        self._where = where
        self._timeout = timeout
        self._secured = secured
        self._socket: socket.socket | None = None
        self._sent: deque[bytes] = deque()  # the last that were handed over
        self._size = 0

    def send(self, messages: Sequence[bytes]) -> None:
        """Hand all over, behind what a broken connection may have lost."""
        framed = [b"%d %b" % (len(message), message) for message in messages]
        self._trying(lambda connection: connection.sendall(b"".join(framed)))
        for frame in framed:
            self._keep(frame)

    def _keep(self, frame: bytes) -> None:
        self._sent.append(frame)
        self._size += len(frame)
        while self._size - len(self._sent[0]) >= _AGAIN:
            self._size -= len(self._sent.popleft())

    def _trying(self, act: Callable[[socket.socket], None]) -> None:
        try:
            act(self._connected())
        except OSError as error:  # ssl.SSLError and time-outs too
            self.close()
            raise TryAgain(f"{self._where.host}: {why(error)}") from None

    def _connected(self) -> socket.socket:
        """Return the connection; a new one begins with what may not have come over the last."""
        if self._socket is not None and _is_broken(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._opened()
            self._socket.sendall(b"".join(self._sent))
        return self._socket

    def _opened(self) -> socket.socket:
        connection = socket.create_connection(self._where[1:], self._timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._secured is None:
            return connection
        try:
            return self._secured.wrap_socket(connection, server_hostname=self._where.host)
        except OSError:
            connection.close()
            raise

    def finish(self) -> None:
        """Say that nothing more comes, and wait until the server closes: it has read all then."""
        if self._sent:
            self._trying(_ended)
        self._sent.clear()
        self._size = 0
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _ended(connection: socket.socket) -> None:
    with contextlib.suppress(TimeoutError):  # it keeps the connection open: more can't be known
        if isinstance(connection, ssl.SSLSocket):
            with contextlib.suppress(ssl.SSLError):  # many servers close without TLS's goodbye
                connection.unwrap().close()
            return
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def _is_broken(connection: socket.socket) -> bool:
    """Tell whether the server has closed: a server never sends anything otherwise."""
    patience = connection.gettimeout()
    connection.setblocking(False)
    try:
        return not connection.recv(4096)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(patience)


class Datagrams:
    """UDP, or a unix socket such as /dev/log: a datagram a message."""

    def __init__(self, where: Where, timeout: float) -> None:
        self._where = where
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def send(self, messages: Sequence[bytes]) -> None:
        """Hand each over."""
        for at, message in enumerate(messages):
            try:
                self._connected().send(message)
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    reason = f"{len(message)} bytes: too long for one datagram"
                    raise Refused(reason, blamed=[at], after=at) from None
                self.close()
                raise TryAgain(f"{self._where.host}: {error.strerror or error}", taken=at) from None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._opened()
        return self._socket

    def _opened(self) -> socket.socket:
        if self._where.scheme == "unix":
            family, address = socket.AF_UNIX, self._where.host
            made = socket.socket(family, socket.SOCK_DGRAM)
            made.settimeout(self._timeout)
            made.connect(address)
            return made
        found = socket.getaddrinfo(*self._where[1:], type=socket.SOCK_DGRAM)[0]
        made = socket.socket(*found[:3])
        made.connect(found[4])
        return made

    def finish(self) -> None:
        """Do nothing: nothing can be known."""

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _severity(record: Record) -> int:
    if record.event == "ERROR" and record.of("StatusCode").startswith("4"):
        return _WARNING
    return _ERROR if record.event in {"ERROR", "LOG_LOSS"} else _INFO


def _name(text: str, longest: int) -> str:
    """Return what a field of the head may hold: visible ASCII (RFC 5424 §6)."""
    kept = "".join(letter if "!" <= letter <= "~" else "_" for letter in text)
    return kept[:longest] or "-"
