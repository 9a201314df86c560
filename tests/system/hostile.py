"""A log whose every field is HTML and script, as a gateway writes it, and as others may."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from gatewaylog.events import LAYOUTS
from gatewaylog.formats import FORMATS, LineOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gatewaylog.events import Event, Layout

BEGIN = 1_700_000_000.0
# Each calls something of `browser.py`'s tripwires if it is run, or asks for a file.
PAYLOADS = (
    "<script>window.ran.push('script')</script>",
    "<img src=x onerror=window.ran.push('img')>",
    "\"><svg onload=window.ran.push('svg')>",
    "'><iframe srcdoc='<script>parent.ran.push(1)</script>'></iframe>",
    "javascript:window.ran.push('url')",
    "${window.ran.push('template')}`{{constructor.constructor('alert(1)')()}}",
    "</script><script>alert(1)</script><!--",
    "</title></style></textarea><body onload=alert(1)>",
    'red;background:url(//evil.example/x)"style="position:fixed',
    "\u202egnp.exe\u2066\u200b\ufeff\x1b[31m\x00\x07\r\n\ndata: {}\n\nevent: refused\ndata: 1",
    "__proto__",
    "constructor",
)
_FORMS = {name: form(LineOptions()) for name, form in FORMATS.items()}


def lines(form: str = "wso2") -> bytes:
    """Return exchanges, orphans of both kinds and unmatched URLs, every text of them a payload."""
    return b"".join(_encoded(form))


def _encoded(form: str) -> Iterator[bytes]:
    seconds = count()
    for number in range(len(PAYLOADS)):
        for layout in LAYOUTS:
            event = _event(layout, number)
            at = BEGIN + next(seconds)
            yield _FORMS[form].encode(event, at, "x")
            if form == "wso2":
                yield _with_hostile_numbers(_FORMS[form].encode(event, at, "x"), number)


def _event(layout: Layout, number: int) -> Event:
    """Return an event whose texts are payloads, each field beginning with another one."""
    values: dict[str, object] = {}
    for place, (name, field) in enumerate(zip(layout.kind._fields, layout.fields, strict=False)):
        payload = PAYLOADS[(number + place) % len(PAYLOADS)]
        values[name] = payload if field.kind is str else field.kind(900_000 + place)
    # Ids pair the events of one number; the last numbers' calls have no end.
    own = {"message_id": f"{PAYLOADS[number]}{layout.name}"}
    if layout.name in {"REQUEST_COMPLETE", "ERROR"}:
        whole = number % 4
        own["response_to"] = f"{PAYLOADS[number]}{'INCOMING_REQUEST' if whole else 'lost'}"
    if layout.name == "ERROR" and number % 2:
        own["error_source"] = "main"
    values |= own
    values["extra"] = ((f"X{number}", PAYLOADS[number]), ("Y", PAYLOADS[-number]))
    return layout.kind(**values)  # type: ignore[arg-type]


def _with_hostile_numbers(line: bytes, number: int) -> bytes:
    payload = PAYLOADS[number % 5].replace('"', '\\"').encode()
    for place in range(30):
        line = line.replace(b"%d" % (900_000 + place), payload)
    return line
