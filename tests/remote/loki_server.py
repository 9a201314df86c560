"""A stand-in for Loki's query_range, written from its documentation, as Loki installs from no
registry.

https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time and
…/query/log_queries/. It keeps to what a client can trip over: start is in the range and end is not;
`limit` is 100 if not given, and more than 5,000 is refused; a range over 721 hours is refused;
backward gives the newest lines, those of one time in the reverse order of their coming, stream by
stream, the streams in no order of time; an entry that is there already is not stored again; without
the flag categorize-labels a line's metadata makes a stream of its own; errors are plain text.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

HOUR = 3600 * 1_000_000_000
_STRING = r'"((?:[^"\\]|\\.)*)"'
_MATCHER = re.compile(rf"\s*([a-z_]+)\s*(=~|=)\s*{_STRING}\s*(?:,|(?=\}}))")
_FILTER = re.compile(rf"\s*(\|=|\|~|!=|!~)\s*{_STRING}")


class Entry(NamedTuple):
    time: int
    line: str
    metadata: tuple[tuple[str, str], ...] = ()


class Wrong(Exception):
    """Loki answers 400 with this text."""


class Loki:
    """The streams, and what was asked."""

    def __init__(self) -> None:
        self.streams: dict[tuple[tuple[str, str], ...], list[Entry]] = {}
        self.asked: list[dict[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.longest = 721 * HOUR
        self.most = 5000
        self.failures: list[tuple[int, dict[str, str]]] = []

    def push(self, labels: Mapping[str, str], *entries: Entry) -> None:
        stream = self.streams.setdefault(tuple(sorted(labels.items())), [])
        for entry in entries:
            if entry not in stream:
                stream.append(entry)
        stream.sort(key=lambda entry: entry.time)

    def query_range(self, asked: Mapping[str, str], *, categorize: bool) -> dict[str, Any]:
        """The answer, of which stats are left out."""
        start, end = int(asked["start"]), int(asked["end"])
        limit = int(asked.get("limit", 100))
        if end <= start:
            raise Wrong("end timestamp must not be before or equal to start time")
        if limit > self.most:
            raise Wrong(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query"
                f" ({limit} > {self.most})"
            )
        if end - start > self.longest:
            raise Wrong(
                "the query time range exceeds the limit"
                f" (query length: {(end - start) // HOUR}h0m0s, limit: {self.longest // HOUR}h)"
            )
        assert asked.get("direction", "backward") == "backward"
        matches, holds = read(asked["query"])
        found = [
            (entry, labels)
            for labels, entries in self.streams.items()
            if matches(dict(labels))
            for entry in reversed(entries)
            if start <= entry.time < end and holds(entry.line)
        ]
        newest = sorted(found, key=lambda pair: pair[0].time, reverse=True)[:limit]
        streams: dict[tuple[tuple[str, str], ...], list[list[object]]] = {}
        for entry, labels in newest:
            of = (
                labels
                if categorize
                else tuple(sorted({**dict(labels), **dict(entry.metadata)}.items()))
            )
            more = [{"structuredMetadata": dict(entry.metadata)}] if categorize else []
            streams.setdefault(of, []).append([str(entry.time), entry.line, *more])
        result = [{"stream": dict(of), "values": values} for of, values in sorted(streams.items())]
        return {"status": "success", "data": {"resultType": "streams", "result": result}}


def read(query: str) -> tuple[Callable[[dict[str, str]], bool], Callable[[str], bool]]:
    """The selector and the line filters of a query."""
    if not query.startswith("{"):
        raise Wrong("parse error at line 1, col 1: syntax error: unexpected IDENTIFIER")
    at, matchers = 1, []
    while found := _MATCHER.match(query, at):
        matchers.append(found.groups())
        at = found.end()
    if query[at : at + 1] != "}" or not matchers:
        raise Wrong(f"parse error at line 1, col {at + 1}: syntax error: unexpected {query[at:]!r}")
    at, filters = at + 1, []
    while found := _FILTER.match(query, at):
        filters.append((found[1], re.sub(r"\\(.)", r"\1", found[2])))
        at = found.end()
    if query[at:].strip():
        raise Wrong(f"parse error at line 1, col {at + 1}: syntax error: unexpected {query[at:]!r}")

    def matches(labels: dict[str, str]) -> bool:
        # A label that is not there is as one without text.
        return all(
            re.fullmatch(wanted, labels.get(name, "")) is not None
            if sign == "=~"
            else labels.get(name, "") == wanted
            for name, sign, wanted in matchers
        )

    tests = [(sign, re.compile(text.replace(r"\z", r"\Z"))) for sign, text in filters]
    plain = [(sign, text) for sign, text in filters if sign in {"|=", "!="}]
    assert not plain

    def holds(line: str) -> bool:
        return all((test.search(line) is not None) == (sign == "|~") for sign, test in tests)

    return matches, holds


@contextlib.contextmanager
def serving(loki: Loki) -> Iterator[str]:
    """Answer over HTTP, in a thread; gives the URL."""

    class Interface(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = {name: text[0] for name, text in parse_qs(urlsplit(self.path).query).items()}
            loki.asked.append(asked)
            loki.headers.append(dict(self.headers))
            if not self.path.startswith("/loki/api/v1/query_range?"):
                self.say(404, "404 page not found")
                return
            if loki.failures:
                status, headers = loki.failures.pop(0)
                self.say(status, "too many outstanding requests", headers)
                return
            flags = self.headers.get("X-Loki-Response-Encoding-Flags", "")
            try:
                answer = loki.query_range(asked, categorize="categorize-labels" in flags)
            except Wrong as wrong:
                self.say(400, f"{wrong}\n")
            else:
                self.say(200, json.dumps(answer, ensure_ascii=False))

        def say(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
            body = text.encode("utf-8", "replace")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Interface) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
