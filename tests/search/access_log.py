"""A small log for tests of the search language: twelve events of one morning in California."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gatewaylog.search import compile_query

if TYPE_CHECKING:
    from gatewaylog.search import Plan, Result

ZONE = ZoneInfo("America/Los_Angeles")
NOW = 1495828800.0  # 2017-05-26T13:00:00-07:00

_PREFIX = "[AM][worker-1]{gatewaylog.AccessLogWriter}[-] INFO "
_EVENTS = r"""
09:00:00.000 Event="INCOMING_REQUEST", MessageID="a1", API="alice--Echo:v1", RequestInURL="/echo/hello", RequestInMethod="GET", UserAgent="curl/7.1", RemoteIP="10.0.0.1"
09:00:00.050 Event="REQUEST_COMPLETE", MessageID="a2", API="alice--Echo:v1", ResponseTo="a1", APPLICATION_NAME="web", END_USER_NAME="ann", StatusCode="200", RequestOutURL="https://backend/echo/hello", RequestOutMethod="GET", RequestInURL="/echo/hello", RequestInMethod="GET", UserAgent="curl/7.1", RemoteIP="10.0.0.1", Outcome="complete", DurationMs="50.000", BytesIn="0", BytesOut="120"
09:07:30.000 Event="INCOMING_REQUEST", MessageID="b1", API="bob--Orders:v2", RequestInURL="/orders?id=7&sort=asc", RequestInMethod="POST", UserAgent="Mozilla/5.0 (X11)", RemoteIP="10.1.2.3"
09:07:31.500 ErrorSource="fault", Event="ERROR", MessageID="b2", API="bob--Orders:v2", StatusCode="504", ERROR_CODE="101504", ERROR_MESSAGE="Send timeout", RequestInURL="/orders?id=7&sort=asc", RequestInMethod="POST", UserAgent="Mozilla/5.0 (X11)", RemoteIP="10.1.2.3", ResponseTo="b1", Outcome="timeout", DurationMs="1500.000", BytesIn="12", BytesOut="0"
09:20:00.000 ErrorSource="main", Event="ERROR", MessageID="c1", StatusCode="404", ERROR_CODE="404", ERROR_MESSAGE="Not Found", RequestInURL="/CCES/list", RequestInMethod="GET", UserAgent="curl/7.1", RemoteIP="192.168.1.9"
10:00:00.000 Event="INCOMING_REQUEST", MessageID="d1", API="alice--Echo:v1", RequestInURL="/echo/a%20b%3Dc", RequestInMethod="GET", UserAgent="check_http/v2.0.3 (nagios-plugins 2.0.3)", RemoteIP="10.0.0.2"
10:00:00.009 Event="REQUEST_COMPLETE", MessageID="d2", API="alice--Echo:v1", ResponseTo="d1", APPLICATION_NAME="null", END_USER_NAME="null", StatusCode="200", RequestOutURL="https://backend/echo/a%20b", RequestOutMethod="GET", RequestInURL="/echo/a%20b%3Dc", RequestInMethod="GET", UserAgent="check_http/v2.0.3 (nagios-plugins 2.0.3)", RemoteIP="10.0.0.2", Outcome="complete", DurationMs="9.000", BytesIn="0", BytesOut="1000"
10:30:00.000 ErrorSource="_auth_failure_handler_", Event="ERROR", MessageID="e1", API="bob--Orders:v2", StatusCode="null", ERROR_CODE="900901", ERROR_MESSAGE="Invalid Credentials", RequestInURL="/orders/cces", RequestInMethod="GET", UserAgent="Java/1.7.0_131", RemoteIP="172.16.180.45"
11:15:00.000 Event="INCOMING_REQUEST", MessageID="f1", API="alice--Echo:v1", RequestInURL="/echo/x", RequestInMethod="GET", UserAgent="", RemoteIP="10.0.0.1"
11:15:00.400 Event="REQUEST_COMPLETE", MessageID="f2", API="alice--Echo:v1", ResponseTo="f1", APPLICATION_NAME="Web", END_USER_NAME="ANN", StatusCode="500", RequestOutURL="https://backend/echo/x", RequestOutMethod="GET", RequestInURL="/echo/x", RequestInMethod="GET", UserAgent="", RemoteIP="10.0.0.1", Outcome="complete", DurationMs="400.000", BytesIn="0", BytesOut="30"
11:15:00.400 Event="INCOMING_REQUEST", MessageID="g1", API="carol--News:v1", RequestInURL="/news", RequestInMethod="GET", UserAgent="it's \u0022quoted\u0022", RemoteIP="2001:db8::1"
11:59:59.999 Event="REQUEST_COMPLETE", MessageID="g2", API="carol--News:v1", ResponseTo="g1", APPLICATION_NAME="web", END_USER_NAME="jürgen", StatusCode="304", RequestOutURL="https://news/", RequestOutMethod="GET", RequestInURL="/news", RequestInMethod="GET", UserAgent="it's \u0022quoted\u0022", RemoteIP="2001:db8::1", Outcome="complete", DurationMs="45.123", BytesIn="0", BytesOut="0"
"""

# As in a file: oldest first.
LINES = [
    f"2017-05-26T{line[:12]}-0700 {_PREFIX} {line[13:]}".encode()
    for line in _EVENTS.strip().split("\n")
]


def planned(query: str, **options: float) -> Plan:
    """Return the plan of `query` at the log's own time and place."""
    return compile_query(query, now=NOW, zone=ZONE, **options)


def searched(query: str, lines: list[bytes] | None = None, **options: float) -> Result:
    """Return what `query` gives for the log, or for other lines, oldest first."""
    plan = planned(query, **options)
    return plan.run(plan.rows(reversed(LINES if lines is None else lines)), prefiltered=True)
