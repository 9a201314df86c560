"""The obvious forms of what `gatewaylog.gateway.paths` does fast."""

from __future__ import annotations

import string

UNRESERVED = (string.ascii_letters + string.digits + "-._~").encode()
HEX = b"0123456789abcdefABCDEF"


def slowly_unroutable(path: bytes) -> bool:
    if not path.startswith(b"/"):
        return True
    decoded = bytearray()
    at = 0
    while at < len(path):
        code = path[at]
        if code <= 0x20 or code in b"\x7f\\#":
            return True
        if code == ord("%"):
            digits = path[at + 1 : at + 3]
            if len(digits) < 2 or any(digit not in HEX for digit in digits):
                return True
            code = int(digits, 16)
            if code in b"\0\\":
                return True
            at += 2
            decoded.append(code if code == ord(".") else ord("x"))
        else:
            decoded.append(code)
        at += 1
    segments = bytes(decoded).split(b"/")[1:]
    return any(segment.split(b";")[0] in (b".", b"..") for segment in segments)


def slowly_normalised(path: bytes) -> bytes:
    result = b""
    at = 0
    while at < len(path):
        digits = path[at + 1 : at + 3]
        coded = path[at] == ord("%") and len(digits) == 2 and all(d in HEX for d in digits)
        code = int(digits, 16) if coded else path[at]
        if coded or code > 0x7F:
            result += bytes([code]) if code in UNRESERVED else f"%{code:02X}".encode()
        else:
            result += bytes([code])
        at += 3 if coded else 1
    return result
