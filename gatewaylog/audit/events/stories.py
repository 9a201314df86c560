"""The whole path of a session, told from its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewaylog.audit.events.names import SessionState
from gatewaylog.audit.events.session import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gatewaylog.audit.events.records import AuditEvent

_MESSAGE_ID = "urn:uuid:"
_ENDS = {
    SessionState.USER_LOGOUT_SUCCESS: "the user logged out",
    SessionState.USER_LOGOUT_PARTIAL: "the user logged out, but not everywhere",
    SessionState.USER_CANCELLED: "the user cancelled",
    SessionState.USER_BLOCKED: "the user is blocked",
    SessionState.USER_UNKNOWN: "the user is not known",
    SessionState.AUTHN_FAILED: "authentication failed",
    SessionState.AUTHN_NOT_SUPPORTED: "authentication is not supported",
    SessionState.AUTHN_SELECTION_FAILED: "no authentication profile could be chosen",
    SessionState.PRE_AUTHZ_FAILED: "authorization before authentication failed",
    SessionState.POST_AUTHZ_FAILED: "authorization after authentication failed",
    SessionState.PASSIVE_FAILED: "the user could not be authenticated without being asked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One record in its session: `after` is seconds since the step before."""

    event: AuditEvent
    after: float

    @property
    def told(self) -> str:
        """What happened, in words."""
        name = self.event.event.replace("_", " ").lower()
        parts = [name[:1].upper() + name[1:]]
        if self.event.detail:
            parts.append(f": {self.event.detail}")
        if self.event.authority:
            parts.append(f" ({self.event.authority})")
        return "".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A session's steps in the order in which they were recorded."""

    session_id: str
    steps: tuple[Step, ...]

    def _distinct(self, name: str) -> tuple[str, ...]:
        values = (getattr(step.event, name) for step in self.steps)
        return tuple(dict.fromkeys(value for value in values if value))

    @property
    def who(self) -> str:
        """Users, organizations, addresses and requestors that stand in its records."""
        users = ", ".join(self._distinct("user")) or "an unknown user"
        parts = [users]
        for name, before in (("organization", "of"), ("ip", "from"), ("requestor", "for")):
            if values := self._distinct(name):
                parts.append(f"{before} {', '.join(values)}")
        return " ".join(parts)

    @property
    def seconds(self) -> float:
        """From the first to the last step."""
        return sum(step.after for step in self.steps)

    @property
    def end(self) -> str:
        """How it ended, or in which state it is."""
        states = [step.event.state for step in self.steps if step.event.state is not None]
        if not states:
            return "no state is told"
        return _ENDS.get(states[-1], f"open: {states[-1].name} is its last state")


class Wanted:
    """Chooses the records of a session by its id, of all sessions that carry a TGT by the TGT's,
    or those of an exchange, and those that name it in their detail, by its MessageID.
    """

    def __init__(self, identity: str) -> None:
        self._sessions = {session_of(identity)}
        self._tgt = identity
        self._named = identity if identity.startswith(_MESSAGE_ID) else None

    def __call__(self, event: AuditEvent) -> bool:
        """Tell whether a record is one of them, as far as their sessions are known."""
        return (
            event.session_id in self._sessions
            or event.tgt_id == self._tgt
            or (self._named is not None and self._named in (event.detail or ""))
        )

    def learn(self, events: Iterable[AuditEvent]) -> bool:
        """Learn from records which sessions carry the TGT; say whether any does. A session has its
        TGT from the moment when its user is known: what comes before does not name it.
        """
        found = {event.session_id for event in events if event.tgt_id == self._tgt} - {None, ""}
        self._sessions.update(session_id for session_id in found if session_id)
        return bool(found)


def stories_of(events: Iterable[AuditEvent]) -> Iterator[Story]:
    """Yield a story for each session, in the order of their first records."""
    sessions: dict[str, list[AuditEvent]] = {}
    for event in events:
        sessions.setdefault(event.session_id or "", []).append(event)
    for session_id, path in sessions.items():
        times = [event.at or 0.0 for event in path]
        before = [times[0], *times]
        yield Story(
            session_id=session_id,
            steps=tuple(
                Step(event=event, after=max(0.0, time - earlier))
                for event, time, earlier in zip(path, times, before, strict=False)
            ),
        )
