"""The table of error sources, codes, statuses and messages: the only one.

Codes and sources are WSO2 API Manager's where it has one; statuses say what HTTP means by them
(RFC 9110 §15). Messages are fixed texts, so nothing that a client sent can be repeated in them.
"""

from __future__ import annotations

from dataclasses import dataclass

MAIN = "main"
FAULT = "fault"
AUTH = "_auth_failure_handler_"
THROTTLED = "_throttle_out_handler_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call was not answered by a backend.

    `status` is what the client gets; 499 is never sent and means that it had gone away.
    """

    source: str
    code: str
    status: int
    message: str


def _failure(source: str, code: int, status: int, message: str) -> Failure:
    return Failure(source=source, code=str(code), status=status, message=message)


NOT_FOUND = _failure(MAIN, 404, 404, "Not Found")
BAD_REQUEST = _failure(MAIN, 400, 400, "Bad Request")
SCHEME_FORBIDDEN = _failure(MAIN, 403, 403, "Forbidden")

NO_RESOURCE = _failure(FAULT, 404, 404, "No matching resource found for given API Request")
METHOD_NOT_ALLOWED = _failure(FAULT, 405, 405, "Method not allowed for given API resource")
UNROUTABLE = _failure(FAULT, 400, 400, "Bad Request")
REQUEST_TIMEOUT = _failure(FAULT, 408, 408, "Request Timeout")
CONTENT_TOO_LARGE = _failure(FAULT, 413, 413, "Content Too Large")
BLOCKED = _failure(FAULT, 700700, 503, "API blocked")
CLIENT_GONE_SENDING = _failure(FAULT, 101001, 499, "Client closed the connection")
CLIENT_GONE_WAITING = _failure(FAULT, 101000, 499, "Client closed the connection before an answer")
CONNECT_ERROR = _failure(FAULT, 101503, 502, "Error connecting to the back end")
CONNECT_TIMEOUT = _failure(FAULT, 101508, 504, "Connection timeout")
RESPONSE_TIMEOUT = _failure(FAULT, 101504, 504, "Send timeout")
CONNECTION_CLOSED = _failure(FAULT, 101505, 502, "Connection closed by the back end")
PROTOCOL_VIOLATION = _failure(FAULT, 101506, 502, "Protocol violation by the back end")
SEND_ERROR = _failure(FAULT, 101500, 502, "Error in Sender")
SUSPENDED = _failure(FAULT, 303001, 503, "Endpoint suspended")
SHUTTING_DOWN = _failure(FAULT, 101507, 503, "Gateway shutting down")
LOG_UNAVAILABLE = _failure(FAULT, 101599, 503, "Log unavailable")
INTERNAL_ERROR = _failure(FAULT, 500, 500, "Internal Server Error")

AUTH_UNAVAILABLE = _failure(AUTH, 900900, 500, "Unclassified Authentication Failure")
INVALID_CREDENTIALS = _failure(AUTH, 900901, 401, "Invalid Credentials")
MISSING_CREDENTIALS = _failure(AUTH, 900902, 401, "Missing Credentials")
TOKEN_EXPIRED = _failure(AUTH, 900903, 401, "Access Token Expired")
TOKEN_INACTIVE = _failure(AUTH, 900904, 401, "Access Token Inactive")
WRONG_CREDENTIAL_TYPE = _failure(AUTH, 900905, 401, "Incorrect Access Token Type is provided")
NOT_SUBSCRIBED = _failure(AUTH, 900908, 403, "Resource forbidden")
SUBSCRIPTION_INACTIVE = _failure(AUTH, 900909, 401, "The subscription to the API is inactive")
SCOPE_MISSING = _failure(
    AUTH, 900910, 403, "The access token does not allow you to access the requested resource"
)

THROTTLED_API = _failure(THROTTLED, 900800, 429, "Message throttled out")
THROTTLED_RESOURCE = _failure(THROTTLED, 900802, 429, "Resource level throttled out")
THROTTLED_APPLICATION = _failure(THROTTLED, 900803, 429, "Application level throttled out")
THROTTLED_SUBSCRIPTION = _failure(THROTTLED, 900804, 429, "Subscription level throttled out")
