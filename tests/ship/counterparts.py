"""HTTP destinations as a test plays them: real sockets, and trouble when it is asked for."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import socket
import struct
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

Reply = tuple[int, dict[str, str], bytes]


@dataclass(kw_only=True)
class Request:
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def unpacked(self) -> bytes:
        packed = self.headers.get("content-encoding") == "gzip"
        return gzip.decompress(self.body) if packed else self.body


class Trouble:
    """What goes wrong: kinds that come next, then at random with `share`.

    busy: 429 with Retry-After · down: 500 · cut: closed unanswered, nothing taken · lost: taken,
    closed unanswered · half: the answer breaks off after its head · stall: no answer in time
    """

    KINDS = ("busy", "down", "cut", "lost", "half", "stall")

    def __init__(self) -> None:
        self.next: list[str] = []
        self.share = 0.0
        self.seen: list[str] = []
        self.stalled = threading.Event()  # set: those that stall go on
        self._random = random.Random(5)

    def pick(self) -> str:
        if self.next:
            kind = self.next.pop(0)
        elif self._random.random() < self.share:
            kind = self._random.choice(self.KINDS)
        else:
            return ""
        self.seen.append(kind)
        return kind


@dataclass
class Counterpart:
    """A destination: `take` gets each request that is not met with trouble, one at a time."""

    take: Callable[[Request], Reply]
    trouble: Trouble = field(default_factory=Trouble)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    met: int = 0
    secured: ssl.SSLContext | None = None
    _server: _Server | None = None
    _turn: Any = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        if self.secured is not None:
            return f"https://localhost:{self.port}"
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, where it listened before if it did."""
        self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = self._server.server_port
        if self.secured is not None:
            self._server.socket = self.secured.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        self.trouble.stalled.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.end_all()

    def meet(self, request: Request) -> Reply | str:
        """The reply, or the kind of trouble that comes instead of one."""
        self.met += 1
        kind = self.trouble.pick()
        if kind == "busy":
            return 429, {"Retry-After": "0"}, b"too many"
        if kind == "down":
            return 500, {}, b"oops"
        if kind in {"cut", "stall"}:
            return kind
        with self._turn:
            self.requests.append(request)
            reply = self.take(request)
        return kind or reply


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_all(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no fault of the test."""


def _handler(counterpart: Counterpart) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: 40 ms where acks are late

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Request(
                path=parts.path, query=parse_qs(parts.query), headers=headers, body=body
            )
            if len(body) != int(self.headers["Content-Length"]):
                return  # the shipper was killed while it sent
            met = counterpart.meet(asked)
            if isinstance(met, str):
                self.close_connection = True
                _misbehave(self, met, counterpart.trouble)
                return
            status, fields, content = met
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _misbehave(handler: BaseHTTPRequestHandler, kind: str, trouble: Trouble) -> None:
    if kind == "half":
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of ")
    elif kind == "drip":
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not trouble.stalled.wait(0.05):
            handler.wfile.write(b".")
    elif kind == "stall":
        trouble.stalled.wait(3)
    elif kind == "lost":  # RST: what we had sent may be lost as well
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@contextlib.contextmanager
def listening(
    take: Callable[[Request], Reply], secured: ssl.SSLContext | None = None
) -> Iterator[Counterpart]:
    counterpart = Counterpart(take, secured=secured)
    counterpart.start()
    try:
        yield counterpart
    finally:
        counterpart.stop()


class LokiStore:
    """What a Loki keeps, written from its API documentation (`POST /loki/api/v1/push`) and from
    what was seen of the real program: an entry that is there already (same time, labels, line and
    metadata) is stored once; lines that are refused make the answer 400 though the good ones of the
    batch are stored; a body that is wrong is refused whole. Loki itself is not in any package
    registry. It recognises doubles for ever here; the real one while a block is open.
    """

    def __init__(self) -> None:
        self.entries: dict[str, None] = {}  # in the order of their coming
        self.refuses: Callable[[str], bool] = lambda line: False
        self.oldest = 0.0  # seconds since the epoch: what is older is refused, as after a week

    def take(self, request: Request) -> Reply:
        assert request.path == "/loki/api/v1/push", request.path
        assert request.headers["content-type"] == "application/json"
        refused = ""
        try:
            streams = json.loads(request.unpacked)["streams"]
            for stream in streams:
                for entry in stream["values"]:
                    refused = self._refused(stream["stream"], *entry) or refused
        except (ValueError, KeyError, TypeError) as error:
            return 400, {}, f"bad request: {error}".encode()
        if not streams:
            return 422, {}, b"no streams"
        return (400, {}, refused.encode()) if refused else (204, {}, b"")

    def _refused(self, labels: dict[str, str], time: str, line: str, more: dict[str, str]) -> str:
        """Store it, or say why not."""
        if {type(time), *map(type, more.values())} != {str}:
            raise TypeError("timestamps and metadata must be strings")
        if int(time) < self.oldest * 10**9:
            of, than = _rfc3339(int(time) / 10**9), _rfc3339(self.oldest)
            return (
                f"entry for stream '{json.dumps(labels)}' has timestamp too old: {of},"
                f" oldest acceptable timestamp is: {than}\n"
            )
        if self.refuses(line):
            return "entry too far behind"
        self.entries[json.dumps([labels, time, line, more], sort_keys=True)] = None
        return ""

    @property
    def found(self) -> list[tuple[dict[str, str], int, str, dict[str, str]]]:
        entries = map(json.loads, list(self.entries))  # more may come just now
        return [(labels, int(time), line, more) for labels, time, line, more in entries]

    @property
    def lines(self) -> list[str]:
        return [line for _, _, line, _ in self.found]


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Collector:
    """An HTTP Event Collector, written from Splunk's documentation of HEC, its error codes and its
    indexer acknowledgement. Splunk itself can't be installed here.
    """

    TOKEN = "B5A79AAD-D822-46CC-80D1-819F80D7BFB0"

    def __init__(self, *, acknowledges: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self.refuses: Callable[[str], bool] = lambda line: False
        self._acknowledges = acknowledges
        self._waiting: dict[tuple[str, int], int] = {}  # asked how often before it is true
        self._next = 0

    def take(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Splunk {self.TOKEN}":
            return 403, {}, b'{"text":"Invalid token","code":4}'
        channel = request.headers.get("x-splunk-request-channel", "")
        if request.path == "/services/collector/ack":
            return self._told(channel, json.loads(request.unpacked)["acks"])
        assert request.path == "/services/collector/event", request.path
        return self._indexed(channel, request.unpacked.decode())

    def _told(self, channel: str, numbers: list[int]) -> Reply:
        told = {}
        for number in numbers:
            left = self._waiting.get((channel, number))
            told[str(number)] = left == 0
            if left is not None:
                self._waiting[channel, number] = left - 1  # true once only
        return 200, {}, json.dumps({"acks": told}).encode()

    def _indexed(self, channel: str, text: str) -> Reply:
        decoder, at, number = json.JSONDecoder(), 0, 0
        while at < len(text):
            event, at = decoder.raw_decode(text, at)
            if self.refuses(event["event"]):
                said = {"text": "Invalid data format", "code": 6, "invalid-event-number": number}
                return 400, {}, json.dumps(said).encode()
            self.events.append(event)
            number += 1
        said = {"text": "Success", "code": 0}
        if self._acknowledges:
            said["ackId"] = self._next
            self._waiting[channel, self._next] = 1
            self._next += 1
        return 200, {}, json.dumps(said).encode()

    @property
    def lines(self) -> list[str]:
        return [event["event"] for event in self.events]
