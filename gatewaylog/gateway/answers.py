"""What the gateway itself answers: WSO2's error bodies, in JSON or XML, and preflights."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from functools import cache
from typing import TYPE_CHECKING

from gatewaylog import errors
from gatewaylog.gateway.targets import accept_of

if TYPE_CHECKING:
    from gatewaylog.errors import Failure
    from gatewaylog.middleware.asgi import Send

Headers = list[tuple[bytes, bytes]]

_XML_TYPES = ("application/xml", "text/xml")
_JSON_TYPE = "application/json"
_REALM = 'Bearer realm="gatewaylog"'
# RFC 6750 §3.1; a request without a credential gets no error code.
_CHALLENGES = {
    errors.MISSING_CREDENTIALS.code: _REALM,
    errors.INVALID_CREDENTIALS.code: f'{_REALM}, error="invalid_token"',
    errors.TOKEN_EXPIRED.code: f'{_REALM}, error="invalid_token"',
    errors.TOKEN_INACTIVE.code: f'{_REALM}, error="invalid_token"',
    errors.WRONG_CREDENTIAL_TYPE.code: f'{_REALM}, error="invalid_request"',
    errors.SUBSCRIPTION_INACTIVE.code: f'{_REALM}, error="invalid_token"',
    errors.SCOPE_MISSING.code: f'{_REALM}, error="insufficient_scope"',
}
_DESCRIPTIONS = {
    errors.NOT_FOUND: "No API is published under this path.",
    errors.BAD_REQUEST: "The request is malformed, or its target can be read in several ways.",
    errors.SCHEME_FORBIDDEN: "The API is not offered over this scheme.",
    errors.NO_RESOURCE: "The API is there, but no resource of it matches this path.",
    errors.METHOD_NOT_ALLOWED: "The resource is there, but not for this method.",
    errors.UNROUTABLE: "The request is malformed, or its target can be read in several ways.",
    errors.REQUEST_TIMEOUT: "The body of the request stopped coming.",
    errors.CONTENT_TOO_LARGE: "The body of the request is larger than this gateway takes.",
    errors.BLOCKED: "This API has been blocked temporarily.",
    errors.CONNECT_ERROR: "The back end can't be reached.",
    errors.CONNECT_TIMEOUT: "The back end did not take the connection in time.",
    errors.RESPONSE_TIMEOUT: "The back end did not answer in time.",
    errors.CONNECTION_CLOSED: "The back end closed the connection without an answer.",
    errors.PROTOCOL_VIOLATION: "The back end's answer can't be read.",
    errors.SEND_ERROR: "The request could not be sent to the back end.",
    errors.SUSPENDED: "No back end of this API takes calls just now.",
    errors.SHUTTING_DOWN: "The gateway is being stopped.",
    errors.LOG_UNAVAILABLE: "The call can't be logged, and is not served without.",
    errors.INTERNAL_ERROR: "The gateway failed to handle this call.",
    errors.AUTH_UNAVAILABLE: "Your credential can't be checked just now.",
    errors.INVALID_CREDENTIALS: "Make sure that your credential is right and is still valid.",
    errors.MISSING_CREDENTIALS: "Send an API key in the header X-API-Key or ApiKey,"
    " or an access token in Authorization: Bearer.",
    errors.TOKEN_EXPIRED: "Ask for a new access token.",
    errors.TOKEN_INACTIVE: "The access token was revoked, or is not valid any more.",
    errors.WRONG_CREDENTIAL_TYPE: "This API takes another kind of credential.",
    errors.NOT_SUBSCRIBED: "Your application is not subscribed to this API.",
    errors.SUBSCRIPTION_INACTIVE: "Your application's subscription to this API rests.",
    errors.SCOPE_MISSING: "Your application lacks the scope that this resource needs.",
    errors.THROTTLED_API: "This API has had more calls than it takes in this time.",
    errors.THROTTLED_RESOURCE: "This resource has had more calls than it takes in this time.",
    errors.THROTTLED_APPLICATION: "Your application has made more calls than it may in this time.",
    errors.THROTTLED_SUBSCRIPTION: "Your application has made more calls of this API than it may"
    " in this time.",
}


async def answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Send a whole response of our own, with Date (RFC 9110 §6.6.1)."""
    lines = [*headers, (b"date", formatdate(time.time(), usegmt=True).encode())]
    if status not in {204, 304}:
        lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def bad_request(request: Headers, *more: tuple[bytes, bytes]) -> bytes:
    """Return the whole answer, as it goes on the wire, to what no application is asked about.

    `request` are the header lines that could be read; `more` go to the answer's own.
    """
    headers, body = refusal(errors.BAD_REQUEST, accept_of(request))
    headers += [
        *more,
        (b"date", formatdate(time.time(), usegmt=True).encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    lines = b"".join(b"%b: %b\r\n" % line for line in headers)
    return b"HTTP/1.1 400 Bad Request\r\n%b\r\n%b" % (lines, body)


def body_length(answer: bytes) -> int:
    """Return how long the body of a whole answer is."""
    return len(answer) - answer.index(b"\r\n\r\n") - 4


def refusal(failure: Failure, accept: bytes | None) -> tuple[Headers, bytes]:
    """Return headers and body that tell a client of `failure`, in the form it likes better."""
    xml = accept is not None and b"xml" in accept.lower() and _prefers_xml(accept.decode("latin-1"))
    headers = [(b"content-type", b"application/xml" if xml else b"application/json")]
    challenge = _CHALLENGES.get(failure.code)
    if challenge is not None:
        headers.append((b"www-authenticate", challenge.encode()))
    return headers, _body(failure, xml=xml)


@cache
def _body(failure: Failure, *, xml: bool) -> bytes:
    parts = {
        "code": failure.code,
        "type": "Status report",
        "message": failure.message,
        "description": _DESCRIPTIONS[failure],
    }
    if not xml:
        return json.dumps(parts, separators=(",", ":")).encode()
    inner = "".join(f"<am:{name}>{text}</am:{name}>" for name, text in parts.items())
    return f'<am:fault xmlns:am="http://wso2.org/apimanager">{inner}</am:fault>'.encode()


def _prefers_xml(accept: str) -> bool:
    """Say whether an Accept (RFC 9110 §12.5.1) likes XML better than JSON."""
    weights: dict[str, float] = {}
    for element in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in element.split(";"))
        weights[kind] = _weight(parameters)
    json_weight = _best(weights, _JSON_TYPE, "application/*", "*/*")
    return any(_best(weights, kind, f"{kind[:-3]}*", "*/*") > json_weight for kind in _XML_TYPES)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def _best(weights: dict[str, float], *ranges: str) -> float:
    """Return the weight of the most specific range that is listed."""
    return next((weights[kind] for kind in ranges if kind in weights), 0.0)
