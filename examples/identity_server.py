"""An identity server that records a whole sign-in in the event log.

    python examples/identity_server.py
    curl -X POST 'http://127.0.0.1:8001/sign-in?requestor=portal&user=ann&password=secret'
    curl -X POST 'http://127.0.0.1:8001/sign-out?tgt=TGT-…'
    gatewaylog events sessions TGT-… event.log

It shows what is recorded when: a real one checks passwords against hashes, and takes them in a
form's body.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from gatewaylog.audit.events import (
    AuditEvent,
    EventLog,
    RequestorEvent,
    SessionState,
    UserEvent,
)

USERS = {"ann": "secret", "bob": "hunter2"}
REQUESTORS = {"portal": "example.org"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signing in, for which requestor."""

    session_id: str
    requestor: str
    organization: str
    ip: str
    user: str | None = None
    tgt_id: str | None = None


class IdentityServer:
    """Signs users in and out, and records each step of it."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._signed_in: dict[str, Session] = {}

    def sign_in(self, requestor: str, user: str, password: str, ip: str) -> str | None:
        """Return the id of a ticket-granting ticket, None where the user is not signed in."""
        organization = REQUESTORS.get(requestor, "")
        session = Session(
            session_id=secrets.token_urlsafe(16),
            requestor=requestor,
            organization=organization,
            ip=ip,
        )
        if not organization:
            self._record(session, RequestorEvent.AUTHN_INITIATION_FAILED, None, "no such requestor")
            return None
        self._record(
            session, RequestorEvent.AUTHN_INITIATION_SUCCESSFUL, SessionState.SESSION_CREATED
        )
        return self._authenticate(replace(session, user=user), password)

    def _authenticate(self, session: Session, password: str) -> str | None:
        known = USERS.get(session.user or "")
        if known is None:
            self._record(session, UserEvent.USER_UNKNOWN, SessionState.USER_UNKNOWN)
            return None
        self._record(session, UserEvent.USER_PRE_AUTHORIZED, SessionState.PRE_AUTHZ_OK)
        self._record(
            session, UserEvent.AUTHN_PROFILE_SELECTED, SessionState.AUTHN_SELECTION_OK, "password"
        )
        self._record(
            session, UserEvent.AUTHN_METHOD_IN_PROGRESS, SessionState.AUTHN_IN_PROGRESS, "password"
        )
        if not hmac.compare_digest(known.encode(), password.encode()):
            self._record(session, UserEvent.AUTHN_METHOD_FAILED, SessionState.AUTHN_FAILED)
            return None
        return self._issue(session)

    def _issue(self, session: Session) -> str:
        tgt_id = f"TGT-{secrets.token_hex(16)}"
        session = self._signed_in[tgt_id] = replace(session, tgt_id=tgt_id)
        self._record(session, UserEvent.AUTHN_METHOD_SUCCESSFUL, SessionState.AUTHN_OK, "password")
        self._record(session, UserEvent.USER_POST_AUTHORIZED, SessionState.POST_AUTHZ_OK)
        self._record(session, UserEvent.USER_AUTHENTICATED, SessionState.AUTHN_OK)
        self._record(session, RequestorEvent.AUTHN_SUCCESSFUL, SessionState.AUTHN_OK)
        return tgt_id

    def sign_out(self, tgt_id: str) -> bool:
        """Sign the user of a ticket out; say whether there was one."""
        session = self._signed_in.pop(tgt_id, None)
        if session is None:
            return False
        self._record(
            session, UserEvent.USER_LOGOUT_IN_PROGRESS, SessionState.USER_LOGOUT_IN_PROGRESS
        )
        self._record(session, UserEvent.USER_LOGGED_OUT, SessionState.USER_LOGOUT_SUCCESS)
        return True

    def _record(
        self,
        session: Session,
        event: UserEvent | RequestorEvent,
        state: SessionState | None,
        detail: str | None = None,
    ) -> None:
        self._log.record(
            AuditEvent(
                event=event,
                session_id=session.session_id,
                tgt_id=session.tgt_id,
                state=state,
                user=session.user,
                organization=session.organization or None,
                ip=session.ip,
                requestor=session.requestor,
                detail=detail,
            )
        )


class Handler(BaseHTTPRequestHandler):
    """`POST /sign-in` and `POST /sign-out`, answered in JSON."""

    identity: ClassVar[IdentityServer]

    def do_POST(self) -> None:
        """Answer a call."""
        target = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(target.query).items()}
        if target.path == "/sign-in":
            tgt = self.identity.sign_in(
                given.get("requestor", ""),
                given.get("user", ""),
                given.get("password", ""),
                self.client_address[0],
            )
            self._answer(HTTPStatus.OK if tgt else HTTPStatus.UNAUTHORIZED, {"tgt": tgt})
        elif target.path == "/sign-out":
            done = self.identity.sign_out(given.get("tgt", ""))
            self._answer(HTTPStatus.OK if done else HTTPStatus.NOT_FOUND, {"signed_out": done})
        else:
            self._answer(HTTPStatus.NOT_FOUND, {})

    def _answer(self, status: HTTPStatus, values: dict[str, object]) -> None:
        body = json.dumps(values).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base's name
        """Say nothing: the target holds a password."""


def main() -> None:
    """Serve until Ctrl-C."""
    log = EventLog(os.environ.get("EVENT_LOG", "event.log"), authority="identity_server")
    Handler.identity = IdentityServer(log)
    port = int(os.environ.get("PORT", "8001"))
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
