"""What is known of bearer tokens, kept for a while under their SHA-256."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gatewaylog.errors import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 10_000  # verdicts of each kind


class Facts(NamedTuple):
    """What a good token says.

    `client_id` names the application's client, `user` who it was given for (None: the
    application's owner), `expires` is in seconds since the epoch. An `own` token opens no more
    than the scopes that its application has now, and nothing where its client is not that of
    `application` any more.
    """

    client_id: str | None
    user: str | None
    scopes: frozenset[str]
    expires: float
    own: bool = False
    application: str = ""


Verdict: TypeAlias = Facts | Failure


class Answer(NamedTuple):
    """A verdict, and for how many seconds it may be kept; 0: not at all."""

    verdict: Verdict
    seconds: float = 0.0


class Verdicts:
    """Keeps verdicts for as long as they may be kept, the newest 10,000 of each kind.

    Good and bad ones are apart, so that a flood of made-up tokens does not drive out good ones.
    The keys are digests: no token is kept.
    """

    def __init__(
        self, *, most: int = _MOST, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._good: dict[bytes, tuple[Verdict, float]] = {}
        self._bad: dict[bytes, tuple[Verdict, float]] = {}
        self._most = most
        self._monotonic = monotonic

    def get(self, digest: bytes) -> Verdict | None:
        """Return the verdict of the token with this SHA-256; None: it is to be asked for."""
        kept = self._good.get(digest) or self._bad.get(digest)
        if kept is None or kept[1] <= self._monotonic():
            return None
        return kept[0]

    def keep(self, digest: bytes, answer: Answer) -> None:
        """Keep what was answered, in place of what was known."""
        self.forget(digest)
        if answer.seconds <= 0:
            return
        kept = self._bad if isinstance(answer.verdict, Failure) else self._good
        if len(kept) >= self._most:
            del kept[next(iter(kept))]
        kept[digest] = answer.verdict, self._monotonic() + answer.seconds

    def forget(self, digest: bytes) -> None:
        """Have the token asked for anew, as when it was revoked."""
        self._good.pop(digest, None)
        self._bad.pop(digest, None)
