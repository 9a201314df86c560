"""What the gateway counts, and how Prometheus reads it (text exposition format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import gatewaylog
from gatewaylog.accesslog import AccessLog
from gatewaylog.events import IncomingRequest, LogLoss, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.events import Event

Snapshot: TypeAlias = dict[str, Any]  # what JSON can hold

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts the events of one worker."""

    def __init__(self) -> None:
        self._incoming: Counter[str] = Counter()
        self._complete: Counter[tuple[str, int | None]] = Counter()
        self._errors: Counter[tuple[str, str | None, str | None]] = Counter()
        self._ended = 0  # of those that began
        self._durations: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def count(self, event: Event) -> None:
        """Count one event that was handed to the log."""
        if isinstance(event, LogLoss):
            return  # told by what was lost
        api = event.api or ""
        if isinstance(event, IncomingRequest):
            self._incoming[api] += 1
            return
        if isinstance(event, RequestError):
            self._errors[api, event.error_source, event.error_code] += 1
        else:
            self._complete[api, event.status_code] += 1
        if event.response_to is not None:
            self._ended += 1
        seconds = (event.duration_ms or 0.0) / 1000
        buckets = self._durations.get(api)
        if buckets is None:
            buckets = self._durations[api] = [0] * (len(BUCKETS) + 1)
        buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[api] += seconds  # type: ignore[assignment]  # a Counter adds floats too

    def snapshot(self, *, lost: int, suspended: Iterable[str]) -> Snapshot:
        """Return all counts as JSON can hold them; `lost` lines, `suspended` backends."""
        return {
            "incoming": [[api, count] for api, count in self._incoming.items()],
            "complete": [[*key, count] for key, count in self._complete.items()],
            "errors": [[*key, count] for key, count in self._errors.items()],
            "in_progress": sum(self._incoming.values()) - self._ended,
            "durations": [[api, *counts] for api, counts in self._durations.items()],
            "seconds": [[api, seconds] for api, seconds in self._seconds.items()],
            "lost": lost,
            "suspended": sorted(suspended),
        }


class MeteredLog(AccessLog):
    """An access log that counts what is written to it."""

    metrics: Metrics

    def write(self, event: Event, *, final: bool = True) -> bool:
        """Write one event, and count it, lost or not."""
        written = super().write(event, final=final)
        if written or final:
            self.metrics.count(event)
        return written


def exposition(counted: Iterable[Snapshot], living: Iterable[Snapshot]) -> bytes:
    """Render the sum of all workers: counters of `counted` (also those that have ended), gauges of
    the `living` ones.
    """
    counted, living = list(counted), list(living)
    lines = [
        *_family("gatewaylog_build_info", "gauge", "The version that runs."),
        _sample("gatewaylog_build_info", 1, version=gatewaylog.__version__),
        *_events(counted),
        *_family("gatewaylog_exchanges_in_progress", "gauge", "Exchanges without their end yet."),
        _sample("gatewaylog_exchanges_in_progress", sum(one["in_progress"] for one in living)),
        *_family("gatewaylog_log_lost_total", "counter", "Events that could not be written."),
        _sample("gatewaylog_log_lost_total", sum(one["lost"] for one in counted)),
        *_family("gatewaylog_workers", "gauge", "Worker processes."),
        _sample("gatewaylog_workers", len(living)),
        *_family("gatewaylog_backend_suspended", "gauge", "Workers that leave a backend alone."),
    ]
    backends = Counter(url for one in living for url in one["suspended"])
    lines += [
        _sample("gatewaylog_backend_suspended", n, backend=url) for url, n in backends.items()
    ]
    lines += _histogram(counted)
    return ("\n".join(lines) + "\n").encode()


def _events(counted: list[Snapshot]) -> list[str]:
    incoming = _summed(counted, "incoming")
    complete = _summed(counted, "complete")
    errors = _summed(counted, "errors")
    name = "gatewaylog_events_total"
    lines = _family(name, "counter", "Events, by kind and API.")
    lines += [_sample(name, n, event="INCOMING_REQUEST", api=api) for (api,), n in incoming.items()]
    for event, counts in (("REQUEST_COMPLETE", complete), ("ERROR", errors)):
        by_api: Counter[str] = Counter()
        for key, count in counts.items():
            by_api[key[0]] += count
        lines += [_sample(name, n, event=event, api=api) for api, n in by_api.items()]
    name = "gatewaylog_answers_total"
    lines += _family(name, "counter", "REQUEST_COMPLETE events, by API and status.")
    lines += [_sample(name, n, api=api, status=code) for (api, code), n in complete.items()]
    name = "gatewaylog_errors_total"
    lines += _family(name, "counter", "Calls that no backend answered, by source and code.")
    lines += [
        _sample(name, n, api=api, source=source, code=code)
        for (api, source, code), n in errors.items()
    ]
    return lines


def _histogram(counted: list[Snapshot]) -> list[str]:
    name = "gatewaylog_exchange_duration_seconds"
    totals: dict[str, list[int]] = {}
    for one in counted:
        for api, *counts in one["durations"]:
            before = totals.get(api, [0] * len(counts))
            totals[api] = [a + b for a, b in zip(before, counts, strict=True)]
    seconds = _summed(counted, "seconds")
    lines = _family(name, "histogram", "From a request's arrival to its answer's end.")
    for api, counts in totals.items():
        cumulated = 0
        for bound, count in zip((*BUCKETS, "+Inf"), counts, strict=True):
            cumulated += count
            lines.append(_sample(f"{name}_bucket", cumulated, api=api, le=bound))
        lines.append(_sample(f"{name}_sum", round(seconds[api,], 6), api=api))
        lines.append(_sample(f"{name}_count", cumulated, api=api))
    return lines


def _summed(counted: list[Snapshot], what: str) -> Counter[tuple[Any, ...]]:
    totals: Counter[tuple[Any, ...]] = Counter()
    for one in counted:
        for *key, count in one[what]:
            totals[tuple(key)] += count
    return totals


def _family(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _sample(name: str, value: float, **labels: object) -> str:
    shown = ",".join(f'{key}="{_escaped(str(text))}"' for key, text in labels.items())
    return f"{name}{{{shown}}} {value}" if shown else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
