"""Request paths: which are routed at all, and in what form they are compared.

Both work on the raw bytes that the client sent, and neither changes what is forwarded.
"""

from __future__ import annotations

import re
import string

_UNRESERVED = (string.ascii_letters + string.digits + "-._~").encode()  # RFC 3986 §2.3
_AMBIGUOUS = re.compile(
    rb"[\x00-\x20\x7f\\#]|%(?![0-9A-Fa-f]{2})|%00|%5[Cc]|/(?:\.|%2[Ee]){1,2}(?=[/;]|\Z)"
)
# Tables that change a path only where it needs a closer look: half the time of a search.
_SUSPECT = bytes(0xFF if code <= 0x20 or code in b"\x7f\\%#" else code for code in range(256))
_CODED = bytes(1 if code > 0x7F or code in b"%" else code for code in range(256))
_ENCODED = re.compile(rb"%[0-9A-Fa-f]{2}|[\x80-\xff]")


def unroutable(raw_path: bytes) -> bool:
    r"""Tell whether different programs could read this path differently (gateway.md, Routing).

    So are: no `/` at the start; a `.` or `..` segment, also with `%2e` and before a `;`
    (which some servers cut off); NUL, raw or `%00`; raw controls, space and DEL; `\` and `%5c`;
    `#`; a `%` without two hex digits. Bytes over 0x7F are routed.
    """
    if raw_path[:1] != b"/":
        return True
    # Two fast looks pass nearly every path; the full rule takes two to three times as long.
    if raw_path.translate(_SUSPECT) == raw_path and b"/." not in raw_path:
        return False
    return _AMBIGUOUS.search(raw_path) is not None


def normalised(path: bytes) -> bytes:
    """Return the form in which paths are compared (RFC 3986 §6.2.2).

    Percent-encoded unreserved characters are decoded, once; other escapes get upper-case
    digits; bytes over 0x7F are escaped, as RFC 3987 §3.1 maps them. `%2F` stays, so the
    number of `/` never changes.
    """
    if path.translate(_CODED) == path:
        return path
    return _ENCODED.sub(_canonical, path)


def _canonical(match: re.Match[bytes]) -> bytes:
    return _CANONICAL[match[0]]


def _canonical_forms() -> dict[bytes, bytes]:
    forms = {}
    for code in range(256):
        canonical = bytes([code]) if code in _UNRESERVED else b"%%%02X" % code
        digits = f"{code:02x}"
        for high in {digits[0], digits[0].upper()}:
            for low in {digits[1], digits[1].upper()}:
                forms[f"%{high}{low}".encode()] = canonical
        if code > 0x7F:
            forms[bytes([code])] = canonical
    return forms


_CANONICAL = _canonical_forms()
