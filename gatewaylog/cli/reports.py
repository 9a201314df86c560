"""The ready reports: each is a query, which `gatewaylog search` takes as well."""

from __future__ import annotations

from typing import NamedTuple


class Report(NamedTuple):
    """What a report is called, and the query that it is."""

    title: str
    query: str


_ENDED = "Event!=INCOMING_REQUEST"
_ERRORS = 'count(eval(Event=="ERROR")) as errors'
_PERCENTILES = "p50({0}) as p50, p95({0}) as p95, p99({0}) as p99"
_DURATIONS = _PERCENTILES.format("DurationMs")
_REQUEST = "RequestInMethod as method, RequestInURL as URL"
_LAST = '| eval last=strftime(last, "%Y-%m-%d %H:%M:%S")'

SUMMARY = Report(
    "The log",
    'index=* | stats min(_time) as from, max(_time) as to, count(eval(Event=="INCOMING_REQUEST"))'
    ' as requests, count(eval(Event=="REQUEST_COMPLETE")) as completed, '
    f"{_ERRORS}, dc(API) as apis, dc(RemoteIP) as clients"
    ' | eval from=strftime(from, "%Y-%m-%d %H:%M:%S"), to=strftime(to, "%Y-%m-%d %H:%M:%S")',
)
REPORTS = {
    "apis": Report(
        "APIs, by calls (milliseconds, bytes)",
        f"{_ENDED} API=* | stats count as calls, {_ERRORS},"
        ' count(eval(ErrorSource=="_auth_failure_handler_")) as auth,'
        ' count(eval(ErrorSource=="fault")) as fault,'
        f" {_DURATIONS}, sum(BytesIn) as in, sum(BytesOut) as out by API"
        " | sort -calls, API",
    ),
    "errors": Report(
        "Errors, by count",
        "Event=ERROR | fillnull value=- ErrorSource, ERROR_CODE, ERROR_MESSAGE | stats count,"
        " dc(API) as apis, dc(RemoteIP) as clients, max(_time) as last"
        f" by ErrorSource, ERROR_CODE, ERROR_MESSAGE | sort -count {_LAST}",
    ),
    "unmatched": Report(
        "URLs that no API matched",
        "Event=ERROR ErrorSource=main | stats count, dc(RemoteIP) as clients, max(_time) as last"
        f" by RequestInMethod, RequestInURL | sort -count, RequestInURL {_LAST}"
        f" | rename {_REQUEST}",
    ),
    "clients": Report(
        "Clients, by calls (milliseconds, bytes)",
        f"{_ENDED} | stats count as calls, {_ERRORS}, dc(API) as apis,"
        f" {_DURATIONS}, sum(BytesOut) as out by RemoteIP | sort -calls, RemoteIP",
    ),
    "backends": Report(
        "Backends, by calls (milliseconds)",
        f'{_ENDED} RequestOutURL=*://* | rex field=RequestOutURL "^(?<backend>[^/]*//[^/]*)"'
        f" | stats count as calls, {_ERRORS}, {_PERCENTILES.format('BackendMs')} by backend"
        " | sort -calls, backend",
    ),
    "slow": Report(
        "The slowest exchanges (milliseconds)",
        f"{_ENDED} DurationMs>=0 | sort -DurationMs | head 20"
        f" | rename DurationMs as ms, BackendMs as backend, StatusCode as status, {_REQUEST}"
        " | table _time, ms, backend, status, API, method, URL",
    ),
    "auth-failures": Report(
        "Refused credentials",
        "ErrorSource=_auth_failure_handler_ | fillnull value=- API, RemoteIP, ERROR_MESSAGE"
        " | stats count, max(_time) as last by API, RemoteIP, ERROR_CODE, ERROR_MESSAGE"
        f" | sort -count, API {_LAST}",
    ),
}
PAGE = ("apis", "errors", "unmatched", "auth-failures", "slow")
ON_PAGE = 10  # rows of each
