"""ClickHouse's HTTP interface over chdb, the embedded ClickHouse: a program of its own.

It prints its port, and answers until its standard input ends. The SQL is run by ClickHouse itself;
what is ours is the HTTP around it: `query` in the URL stands before the body, what else stands
there are settings, answers are chunked, errors are 500 (516, wrong password: 401; 60, no such
table: 404) with X-ClickHouse-Exception-Code.
https://clickhouse.com/docs/interfaces/http
"""

from __future__ import annotations

import base64
import gzip
import importlib
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER = ("reader", "se cret:ü")
STATUS = {"60": 404, "516": 401}
_INSERT = re.compile(r"\s*INSERT\s+INTO\s+(\S+)\s+FORMAT\s+JSONEachRow\s*\Z", re.IGNORECASE)

database: Any = importlib.import_module("chdb.session").Session()
turn = threading.Lock()
seen: list[str] = []  # the statements


def run(sql: str, body: bytes, settings: str = "") -> bytes:
    """The result of a statement; INSERT takes what follows it, which chdb has no way for."""
    with turn:
        insert = _INSERT.match(sql)
        if insert is None:
            seen.append(sql + body.decode())
            return bytes(database.query(sql + body.decode(), "TabSeparated").bytes())
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(body)
            file.flush()
            table = insert[1]
            # The file's columns are those of the table, as INSERT reads them.
            described = database.query(f"DESCRIBE TABLE {table}", "TabSeparated").bytes().decode()
            columns = [line.split("\t")[:2] for line in described.splitlines()]
            shape = ", ".join(f"`{name}` {kind}" for name, kind in columns)
            shape = shape.replace("\\'", "'").replace("'", "\\'")
            database.query(
                f"INSERT INTO {table} {settings}"
                f" SELECT * FROM file('{file.name}', JSONEachRow, '{shape}')"
            )
        return b""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has read enough closes the connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def settings_of(asked: dict[str, list[str]]) -> str:
    """What else stands in the URL: settings, for inserts alone."""
    named = ", ".join(f"{name}='{values[0]}'" for name, values in asked.items())
    return f"SETTINGS {named}" if named else ""


class Interface(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = parse_qs(urlsplit(self.path).query)
        if not self.knows_user():
            self.fail(
                "Code: 516. DB::Exception: reader: Authentication failed: password is incorrect"
            )
            return
        try:
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found = run(" ".join(asked.pop("query", [])), body, settings_of(asked))
        except Exception as error:
            self.fail(str(error))
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(found), 1000):  # pieces that end inside rows
            piece = found[at : at + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self) -> None:
        """The statements since the last time, for tests."""
        found = "\n".join(seen).encode()
        seen.clear()
        self.send_response(200)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def knows_user(self) -> bool:
        given = self.headers.get("Authorization", "")
        if not given:
            return True  # the user "default" has no password
        right = base64.b64encode(":".join(USER).encode()).decode()
        return given == f"Basic {right}"

    def fail(self, text: str) -> None:
        code = re.match(r"Code: (\d+)", text)
        number = code[1] if code else "0"
        self.send_response(STATUS.get(number, 500))
        self.send_header("X-ClickHouse-Exception-Code", number)
        body = text.encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = Server(("127.0.0.1", 0), Interface)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
