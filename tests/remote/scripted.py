"""A server that says what a test tells it to, byte by byte, and closes."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class Scripted:
    """`requests` are what came, each up to the end of its body."""

    def __init__(self, *answers: bytes, stays: bool = False, tls: ssl.SSLContext | None = None):
        self.requests: list[bytes] = []
        self._answers = list(answers)
        self._stays = stays
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self._open: list[socket.socket] = []
        self._closing = False
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        for answer in self._answers:
            try:
                client, _ = self._listener.accept()
                if self._closing:
                    client.close()
                    return
                if self._tls:
                    client = self._tls.wrap_socket(client, server_side=True)
            except OSError:  # TLS failed
                continue
            client.settimeout(20)
            with contextlib.suppress(OSError):
                self.requests.append(_request(client))
                client.sendall(answer)
            if self._stays:
                self._open.append(client)
            else:
                client.close()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):  # wakes who waits for a connection
            socket.create_connection(self._listener.getsockname(), 1).close()

    def end(self) -> None:
        self._listener.close()
        for client in self._open:
            client.close()


def _request(client: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        piece = client.recv(65536)
        if not piece:
            return found
        found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    length = next(
        (int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")), 0
    )
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def scripted(
    *answers: bytes, stays: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[Scripted]:
    """Answer one connection after the other; with `stays` they are left open."""
    server = Scripted(*answers, stays=stays, tls=tls)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(20)
        server.end()


def answer(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


def chunked(*pieces: bytes, ends: bool = True) -> bytes:
    told = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + told + b"0\r\n\r\n" * ends
