"""Requests that programs frame differently (RFC 9112 §6, §11), by what must become of them.

Each is all that a client sends on one connection. `/echo/smuggled` stands where a request hides
that no backend may ever see.
"""

from __future__ import annotations

HIDDEN = b"GET /echo/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def post(*lines: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"POST /echo " + version, b"Host: a", *lines, b"", body])


def coded(coding: bytes, body: bytes = b"0\r\n\r\n") -> bytes:
    return post(b"Transfer-Encoding: " + coding, body=body + HIDDEN)


def counted(length: bytes) -> bytes:
    return post(b"Content-Length: " + length, body=b"hello" + HIDDEN)


def chunks(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body + HIDDEN)


def get(*lines: bytes, line: bytes = b"GET /echo HTTP/1.1") -> bytes:
    return b"\r\n".join([line, *lines, b"", HIDDEN])


CHUNKED = b"Transfer-Encoding: chunked"
SIX = b"Content-Length: 6"

# Refused before any backend is asked, with one ERROR.
REFUSED: dict[str, bytes] = {
    "CL and TE": post(SIX, CHUNKED, body=b"0\r\n\r\nG" + HIDDEN),
    "TE and CL": post(CHUNKED, SIX, body=b"0\r\n\r\nG" + HIDDEN),
    "CL of zero and TE": post(b"Content-Length: 0", CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "TE in HTTP/1.0": post(CHUNKED, body=b"0\r\n\r\n" + HIDDEN, version=b"HTTP/1.0"),
    "xchunked": coded(b"xchunked"),
    "identity": coded(b"identity"),
    "chunked, identity": coded(b"chunked, identity"),
    "identity, chunked": coded(b"identity, chunked"),
    "gzip, chunked": coded(b"gzip, chunked"),
    "chunked twice in a line": coded(b"chunked, chunked"),
    "chunked in two lines": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "chunked, then identity": post(
        CHUNKED, b"Transfer-Encoding: identity", body=b"0\r\n\r\n" + HIDDEN
    ),
    "identity, then chunked": post(
        b"Transfer-Encoding: identity", CHUNKED, body=b"0\r\n\r\n" + HIDDEN
    ),
    "chunked with a parameter": coded(b"chunked;q=1"),
    "chunked with a comma": coded(b"chunked,"),
    "chunked behind a comma": coded(b",chunked"),
    "chunked in quotes": coded(b'"chunked"'),
    "chunked behind a vertical tab": coded(b"\x0bchunked"),
    "chunked before a NUL": coded(b"chunked\x00"),
    "an empty TE": coded(b""),
    "chunked before blanks": coded(b"chunked \t"),
    "a length before blanks": counted(b"5 "),
    "a blank before the colon of TE": post(
        b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + HIDDEN
    ),
    "a TE behind obs-fold": post(b"X: y", b" Transfer-Encoding: chunked", body=HIDDEN),
    "a TE folded": post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n" + HIDDEN),
    "two lengths": post(SIX, b"Content-Length: 5", body=b"hello" + HIDDEN),
    "one length twice": post(SIX, SIX, body=b"hello!" + HIDDEN),
    "two lengths in a line": counted(b"5, 5"),
    "a signed length": counted(b"+5"),
    "a negative length": counted(b"-5"),
    "a hexadecimal length": counted(b"0x5"),
    "a length with letters": counted(b"5a"),
    "a length with a blank inside": counted(b"5 5"),
    "an empty length": counted(b""),
    "a length over 64 bits": counted(b"18446744073709551621"),
    "a length of 5,000 digits": counted(b"1" * 5000),
    "a length with underscores": counted(b"1_0"),
    "a length in other digits": counted("٥".encode()),
    "a blank before the colon of CL": post(b"Content-Length : 5", body=b"hello" + HIDDEN),
    "a folded length": post(b"Content-Length: 5", b" 5", body=b"hello" + HIDDEN),
    "obs-fold": get(b"Host: a", b"X: y", b" z"),
    "a first line that is folded": get(b" Host: a", b"Host: a"),
    "a bare CR in a value": get(b"Host: a", b"X: y\rHost: b"),
    "a bare LF in a value": get(b"Host: a", b"X: y\n z"),
    "bare LF line ends": b"POST /echo HTTP/1.1\nHost: a\nContent-Length: 5\n\nhello" + HIDDEN,
    "bare CR line ends": b"GET /echo HTTP/1.1\rHost: a\r\r" + HIDDEN,
    "a NUL in a value": get(b"Host: a", b"X: y\x00z"),
    "a NUL in a name": get(b"Host: a", b"X\x00: y"),
    "a control in a value": get(b"Host: a", b"X: y\x01z"),
    "a blank in a name": get(b"Host: a", b"X Y: z"),
    "a blank before a colon": get(b"Host: a", b"X : z"),
    "a name without a colon": get(b"Host: a", b"X"),
    "an empty name": get(b"Host: a", b": z"),
    "a name with obs-text": get(b"Host: a", b"X\xff: z"),
    "a name with a bracket": get(b"Host: a", b"X(: z"),
    "two Hosts": get(b"Host: a", b"Host: b"),
    "one Host twice": get(b"Host: a", b"Host: a"),
    "no Host": get(b"X: y"),
    "an empty Host": get(b"Host:"),
    "a Host of blanks": get(b"Host:   "),
    "two Hosts in a line": get(b"Host: a, b"),
    "a Host with a path": get(b"Host: a/b"),
    "a Host with user-info": get(b"Host: a@b"),
    "a Host with obs-text": get(b"Host: a\xff"),
    "an absolute target for another host": get(b"Host: a", line=b"GET http://b/echo HTTP/1.1"),
    "HTTP/0.9": b"GET /echo\r\n" + HIDDEN,
    "HTTP/1.2": get(b"Host: a", line=b"GET /echo HTTP/1.2"),
    "HTTP/2.0": get(b"Host: a", line=b"GET /echo HTTP/2.0"),
    "HTTP/1.10": get(b"Host: a", line=b"GET /echo HTTP/1.10"),
    "HTTP in lower case": get(b"Host: a", line=b"GET /echo http/1.1"),
    "no protocol's name": get(b"Host: a", line=b"GET /echo /1.1"),
    "a blank behind the version": get(b"Host: a", line=b"GET /echo HTTP/1.1 "),
    "tabs in the request line": get(b"Host: a", line=b"GET\t/echo\tHTTP/1.1"),
    "a method in lower case": get(b"Host: a", line=b"get /echo HTTP/1.1"),
    "a method that is no token": get(b"Host: a", line=b"G@T /echo HTTP/1.1"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04" * 4,
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "a huge line": get(b"Host: a", b"X: " + b"y" * 300_000),
    "a huge target": get(b"Host: a", line=b"GET /echo/%b HTTP/1.1" % (b"x" * 300_000)),
    "very many lines": get(b"Host: a", *(b"X-%d: y" % number for number in range(40_000))),
}

# The head is fine, the body is not: a backend may see the request, never a whole body.
BROKEN: dict[str, bytes] = {
    "a chunk of 0x5": chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk of +5": chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk of -5": chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk with a blank before its size": chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
    "a chunk with a tab behind its size": chunks(b"5\t\r\nhello\r\n0\r\n\r\n"),
    "a chunk without a size": chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "a chunk with a size of a letter": chunks(b"g\r\nhello\r\n0\r\n\r\n"),
    "a chunk over 64 bits": chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "a chunk size that ends with LF": chunks(b"5\nhello\r\n0\r\n\r\n"),
    "a chunk size that ends with CR": chunks(b"5\rhello\r\n0\r\n\r\n"),
    "a chunk that ends with LF": chunks(b"5\r\nhello\n0\r\n\r\n"),
    "a chunk without an end": chunks(b"5\r\nhello0\r\n\r\n"),
    "a chunk longer than its size": chunks(b"5\r\nhello!\r\n0\r\n\r\n"),
    "an extension with LF": chunks(b"5;a=b\nhello\r\n0\r\n\r\n"),
    "an extension with a bare CR": chunks(b"5;a=b\rc\r\nhello\r\n0\r\n\r\n"),
    "an extension with LF in quotes": chunks(b'5;a="\n"\r\nhello\r\n0\r\n\r\n'),
    "an extension with NUL": chunks(b"5;a=\x00\r\nhello\r\n0\r\n\r\n"),
    "an endless extension": chunks(b"5;a=" + b"b" * 300_000),
    "an endless trailer": chunks(b"5\r\nhello\r\n0\r\nX: " + b"y" * 300_000),
    "endless trailers": chunks(b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 60_000),
    "a trailer that is folded": chunks(b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"),
    "a trailer with a bare LF": chunks(b"5\r\nhello\r\n0\r\nX: y\n\r\n"),
    "a trailer without a colon": chunks(b"5\r\nhello\r\n0\r\nX\r\n\r\n"),
}

# One whole request with this body, and nothing else.
WHOLE: dict[str, tuple[bytes, bytes]] = {
    "a body in chunks": (chunks(b"5\r\nhello\r\n0\r\n\r\n")[: -len(HIDDEN)], b"hello"),
    "TE in capitals": (coded(b"CHUNKED")[: -len(HIDDEN)], b""),
    "TE with blanks before": (coded(b" \tchunked")[: -len(HIDDEN)], b""),
    "sizes with leading zeros": (chunks(b"0005\r\nhello\r\n000\r\n\r\n")[: -len(HIDDEN)], b"hello"),
    "extensions": (
        chunks(b'5;a=b;c="d;e"\r\nhello\r\n0;f\r\n\r\n')[: -len(HIDDEN)],
        b"hello",
    ),
    "a request inside a body": (
        post(b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
        HIDDEN,
    ),
    "a request inside a chunk": (
        chunks(b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN))[: -len(HIDDEN)],
        HIDDEN,
    ),
    "a length with leading zeros": (post(b"Content-Length: 005", body=b"hello"), b"hello"),
    "a length with blanks before": (post(b"Content-Length: \t5", body=b"hello"), b"hello"),
    "several blanks in the request line": (
        b"POST  /echo  HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
    "empty lines before the request": (b"\r\n\r\n" + post(SIX, body=b"hello!"), b"hello!"),
    "a line like TE with an underscore": (
        post(b"Transfer_Encoding: chunked", SIX, body=b"0\r\n\r\nG"),
        b"0\r\n\r\nG",
    ),
    "a Connection that names the length": (
        post(b"Connection: close, content-length", SIX, body=b"hello!"),
        b"hello!",
    ),
}
