"""The ready reports: each is a query, which `gatewaylog search` takes as well."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE: Mapping[str, str] = MappingProxyType({})


class Report(NamedTuple):
    """What a report is called, the query that it is, and how a person is shown it.

    `units` are those of columns: "ms", "bytes" or "%". `spare` are the columns that are left out,
    the last first, where a page has no room for them.
    """

    title: str
    query: str
    units: Mapping[str, str] = _NONE
    spare: tuple[str, ...] = ()


_ENDED = "Event IN (REQUEST_COMPLETE, ERROR)"
_ERRORS = 'count(eval(Event=="ERROR")) as errors'
_RATE = "| eval failed=round(100*errors/calls, 2)"
_PERCENTILES = "p50({0}) as p50, p95({0}) as p95, p99({0}) as p99"
_DURATIONS = _PERCENTILES.format("DurationMs")
_REQUEST = "RequestInMethod as method, RequestInURL as URL"
_LAST = '| eval last=strftime(last, "%Y-%m-%d %H:%M:%S")'
_UNITS = dict.fromkeys(("p50", "p95", "p99", "ms", "backend"), "ms")
_UNITS |= {"in": "bytes", "out": "bytes", "failed": "%"}
_CLIENTS = (
    f"{_ENDED} | stats count as calls, {_ERRORS}, dc(API) as apis,"
    f" {_DURATIONS}, sum(BytesOut) as out by RemoteIP {_RATE}"
)
_CLIENTS_SHOWN = "| table RemoteIP, calls, errors, failed, apis, p50, p95, p99, out"

SUMMARY = Report(
    "The log",
    'index=* | stats min(_time) as from, max(_time) as to, count(eval(Event=="INCOMING_REQUEST"))'
    ' as requests, count(eval(Event=="REQUEST_COMPLETE")) as completed, '
    f"{_ERRORS}, dc(API) as apis, dc(RemoteIP) as clients"
    ' | eval from=strftime(from, "%Y-%m-%d %H:%M:%S"), to=strftime(to, "%Y-%m-%d %H:%M:%S")',
)
ACTIVITY = Report(
    "Calls over time",
    f'{_ENDED} | timechart count(eval(Event!="ERROR")) as complete, {_ERRORS}',
)
REPORTS = {
    "apis": Report(
        "APIs, by calls",
        f"{_ENDED} API=* | stats count as calls, {_ERRORS},"
        ' count(eval(ErrorSource=="_auth_failure_handler_")) as auth,'
        ' count(eval(ErrorSource=="fault")) as fault,'
        f" {_DURATIONS}, sum(BytesIn) as in, sum(BytesOut) as out by API"
        f" {_RATE} | sort -calls, API"
        " | table API, calls, errors, failed, auth, fault, p50, p95, p99, in, out",
        _UNITS,
        ("fault", "auth", "p50", "out", "in"),
    ),
    "errors": Report(
        "Errors, by count",
        "Event=ERROR | fillnull value=- ErrorSource, ERROR_CODE, ERROR_MESSAGE | stats count,"
        " dc(API) as apis, dc(RemoteIP) as clients, max(_time) as last"
        f" by ErrorSource, ERROR_CODE, ERROR_MESSAGE | sort -count {_LAST}",
        spare=("last", "apis"),
    ),
    "unmatched": Report(
        "URLs that no API matched",
        "Event=ERROR ErrorSource=main | stats count, dc(RemoteIP) as clients, max(_time) as last"
        f" by RequestInMethod, RequestInURL | sort -count, RequestInURL {_LAST}"
        f" | rename {_REQUEST} | table count, clients, last, method, URL",
    ),
    "clients": Report(
        "Clients, by calls",
        f"{_CLIENTS} | sort -calls, RemoteIP {_CLIENTS_SHOWN}",
        _UNITS,
    ),
    "backends": Report(
        "Backends, by calls",
        f'{_ENDED} RequestOutURL=*://* | rex field=RequestOutURL "^(?<backend>[^/]*//[^/]*)"'
        f" | stats count as calls, {_ERRORS}, {_PERCENTILES.format('BackendMs')} by backend"
        f" {_RATE} | sort -calls, backend | table backend, calls, errors, failed, p50, p95, p99",
        {**_UNITS, "backend": ""},
    ),
    "slow": Report(
        "The slowest exchanges",
        f"{_ENDED} DurationMs>=0 | sort 20 -DurationMs, -_time, str(API), str(RequestInMethod),"
        " str(RequestInURL), str(StatusCode), str(BackendMs), str(DurationMs)"
        f" | rename DurationMs as ms, BackendMs as backend, StatusCode as status, {_REQUEST}"
        " | table _time, ms, backend, status, API, method, URL",
        _UNITS,
        ("method", "backend"),
    ),
    "auth-failures": Report(
        "Refused credentials",
        "ErrorSource=_auth_failure_handler_ | fillnull value=- API, RemoteIP, ERROR_MESSAGE"
        " | stats count, max(_time) as last by API, RemoteIP, ERROR_CODE, ERROR_MESSAGE"
        f" | sort -count, API {_LAST}",
        spare=("ERROR_CODE", "last"),
    ),
}
# What fails, why, for whom; then where it goes wrong before any API, and what takes long.
PAGE = {
    "errors": REPORTS["errors"],
    "apis": REPORTS["apis"],
    "clients": Report(
        "Clients, by errors",
        f"{_CLIENTS} | where errors>0 | sort -errors, -calls, RemoteIP {_CLIENTS_SHOWN}",
        _UNITS,
        ("out", "p50", "p99"),
    ),
    "unmatched": REPORTS["unmatched"],
    "auth-failures": REPORTS["auth-failures"],
    "slow": REPORTS["slow"],
}
ON_PAGE = 10  # rows of each
