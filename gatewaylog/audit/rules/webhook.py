"""Findings posted to an address, by a thread of its own: one that is slow or down holds nobody."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gatewaylog.audit.rules.reporting import shown
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatewaylog.audit.rules.records import Finding

    Shown = dict[str, object]

_MOST = 1000  # findings that wait
_PATIENCE = 10.0  # seconds that the address has to answer
_LONGEST = 60.0  # seconds between two tries
_LONGEST_WISH = 300.0  # seconds that a Retry-After may ask for
_AGAIN = (408, 425, 429)  # statuses that say: not now


class Webhook:
    """Posts each finding as JSON, in order, again and again until it is taken.

    What does not answer, or answers 429 or 5xx, is tried again after `first` seconds, then twice as
    long, to a minute. What refuses a finding for good is told on standard error, and the next one
    is posted. `waiting` are findings of an earlier process, as `pending` returned them. Raises
    ValueError for an address that is none.
    """

    def __init__(
        self,
        url: str,
        waiting: Iterable[Shown] = (),
        *,
        timeout: float = _PATIENCE,
        first: float = 1.0,
    ) -> None:
        if not _is_url(url):
            raise ValueError("must be a URL like https://alerts.example.org/hook")
        self._url = url
        self._timeout = timeout
        self._first = first
        self._pause = first
        self._failing = False
        self._changed = threading.Condition()
        self._waiting: list[Shown] = list(waiting)[-_MOST:]
        self._closing = False
        self._opener = urllib.request.build_opener(_Straight())
        self._thread = threading.Thread(target=self._run, name="gatewaylog-webhook", daemon=True)
        self._thread.start()

    def tell(self, finding: Finding) -> None:
        """Have a finding posted. Never raises, never waits."""
        with self._changed:
            if len(self._waiting) >= _MOST:
                notice(f"{_MOST} findings wait for the webhook: {_named(shown(finding))} is left")
                return
            self._waiting.append(shown(finding))
            self._changed.notify_all()

    @property
    def pending(self) -> list[Shown]:
        """Findings that were not taken yet."""
        with self._changed:
            return list(self._waiting)

    def close(self, seconds: float = 5.0) -> None:
        """Post what waits, for so long; tell what was not taken."""
        end = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, seconds)
            self._closing = True
            self._changed.notify_all()
        self._thread.join(max(0.0, end - time.monotonic()))
        for one in self.pending:
            notice(f"the webhook did not take {_named(one)}")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._closing:
                    return
                one = self._waiting[0]
            self._deliver(one)

    def _deliver(self, one: Shown) -> None:
        """Post one, and let go of it where that is settled; else wait."""
        reason, again = self._posted(one)
        if again is not None:
            self._wait(reason, again)
            return
        if reason:
            notice(f"the webhook refuses {_named(one)}: {reason}")
        elif self._failing:
            notice("the webhook takes findings again")
        self._failing, self._pause = False, self._first
        with self._changed:
            self._waiting.pop(0)
            self._changed.notify_all()

    def _wait(self, reason: str, seconds: float) -> None:
        if not self._failing:
            told = f"the webhook does not take findings: {reason}; they are posted again"
            notice(told, code=SystemCode.RESOURCE_CONNECT)
        self._failing = True
        with self._changed:
            self._changed.wait_for(lambda: self._closing, max(seconds, self._pause))
        self._pause = min(2 * self._pause, _LONGEST)

    def _posted(self, one: Shown) -> tuple[str, float | None]:
        """Post one; return why it was not taken, and after how many seconds to try again (None:
        not any more). The address may hold a secret, and is not told.
        """
        try:
            request = urllib.request.Request(  # noqa: S310 - its scheme is checked above
                self._url,
                data=json.dumps(one).encode(),
                headers={"Content-Type": "application/json", "User-Agent": "gatewaylog"},
            )
            with self._opener.open(request, timeout=self._timeout):
                return "", None
        except urllib.error.HTTPError as error:
            with error:
                is_passing = error.code in _AGAIN or error.code >= 500
                return f"HTTP {error.code}", _wish(error) if is_passing else None
        except OSError as error:
            return str(getattr(error, "reason", None) or type(error).__name__), 0.0
        except (HTTPException, ValueError) as error:  # an answer, or an address, that is none
            return type(error).__name__, 0.0


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a finding is for the address that was given."""

    def redirect_request(self, *_: Any) -> None:
        """Return none, which makes a refusal of it."""


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _wish(error: urllib.error.HTTPError) -> float:
    """Return the seconds of a Retry-After, 0 where there are none."""
    text = error.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WISH) if text.isascii() and text.isdecimal() else 0.0


def _named(one: Shown) -> str:
    return f"{one.get('rule')} of {one.get('client')}"
