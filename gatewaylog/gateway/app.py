"""The gateway as an ASGI application: which API, which resource, who calls, then forward.

It runs inside AccessLogMiddleware, which opened the exchange and will end it; here the exchange
is told what is found out.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

from gatewaylog import errors
from gatewaylog.admission import admitted
from gatewaylog.auth import refusals
from gatewaylog.auth.api_keys import Refused
from gatewaylog.auth.credentials import Unsettled
from gatewaylog.gateway.answers import answer
from gatewaylog.gateway.call import Call
from gatewaylog.gateway.client import Body, ClientError
from gatewaylog.gateway.cors import OWN_HEADERS, is_preflight, preflight_headers, response_headers
from gatewaylog.gateway.forward import Forwarder, Outgoing, Unanswered
from gatewaylog.gateway.headers import Peer
from gatewaylog.gateway.paths import unroutable
from gatewaylog.gateway.resources import MethodNotAllowed, Resource
from gatewaylog.gateway.targets import ASTERISK, framing_of, target_of
from gatewaylog.gateway.websocket import relay
from gatewaylog.middleware.opening import presented
from gatewaylog.notices import notice
from gatewaylog.systemcodes import SystemCode

if TYPE_CHECKING:
    from gatewaylog.auth.api_keys import Granted
    from gatewaylog.auth.throttle import Throttle
    from gatewaylog.errors import Failure
    from gatewaylog.exchange import Exchange
    from gatewaylog.gateway.access import Checker
    from gatewaylog.gateway.answers import Headers
    from gatewaylog.gateway.apis import Api, ApiTable, Route
    from gatewaylog.gateway.cors import CorsPolicy
    from gatewaylog.gateway.targets import Framing, Target
    from gatewaylog.middleware.asgi import Receive, Scope, Send
    from gatewaylog.middleware.forwarded import TrustedProxies

_NOTHING: tuple[bytes, ...] = ()
# What ends a query for one program and not for another. Paths have stricter rules of their own.
_LOOSE = re.compile(rb"[\x00-\x20\x7f#]")
_ODD = re.compile(rb"[^\x21-\x7e]")


class Limits(NamedTuple):
    """Bytes that a request's body may have, seconds that a client may be silent in it."""

    max_body: int
    client_timeout: float


class Refusal(Exception):
    """The gateway answers by itself, with `failure` and these header lines."""

    def __init__(self, failure: Failure, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.headers: Headers = list(headers)


class Gateway:
    """Serves what `apis` publish."""

    def __init__(
        self,
        *,
        apis: ApiTable,
        checker: Checker,
        throttle: Throttle | None = None,
        forwarder: Forwarder,
        proxies: TrustedProxies,
        limits: Limits,
        forward_credential: bool = False,
    ) -> None:
        self._apis = apis
        self._checker = checker
        self._throttle = throttle
        self._forwarder = forwarder
        self._proxies = proxies
        self._limits = limits
        self._forward_credential = forward_credential

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request or WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            return
        call = Call(scope, receive, send)
        try:
            await self._serve(call)
        except (Refusal, Unanswered, ClientError) as reason:
            await call.refuse(reason.failure, _headers_of(reason))
        except asyncio.CancelledError:
            await call.cancelled()
        except Exception as error:  # noqa: BLE001 - the event tells of it, the system log why
            if call.exchange.broke == "client_abort":
                return  # so a server tells that nobody takes the answer
            told = f"a fault of the gateway's own, {type(error).__name__}: {error}"
            notice(told, "ERROR", SystemCode.INTERNAL, error=error)
            call.exchange.broke = "app_exception"
            await call.refuse(errors.INTERNAL_ERROR, [])
        finally:
            call.unwatch()

    def unseen(self, exchange: Exchange, target: bytes) -> Failure:
        """Tell the exchange what is known of a request that the server itself refused; return
        why. A target that only its odd bytes spoil is still one of an API's (gateway.md, Routing).
        """
        route = self._apis.find(target.partition(b"?")[0]) if _ODD.search(target) else None
        if route is None:
            return errors.BAD_REQUEST
        exchange.begin(route.api.label, route.api.verbosity)  # type: ignore[arg-type]  # as below
        return errors.UNROUTABLE

    async def _serve(self, call: Call) -> None:
        scope, exchange = call.scope, call.exchange
        target = target_of(scope)
        framing = framing_of(scope, target)
        if framing is not None and not framing.has_body:
            exchange.received = True
        if target.path == ASTERISK:
            await _asterisk(call, framing)
            return
        route = self._route(call, target)
        api = route.api
        exchange.begin(api.label, api.verbosity)  # type: ignore[arg-type]  # checked by the config
        if exchange.held:
            await _admit(call)
        if framing is None or _is_unclear(call.method, target):
            raise Refusal(errors.UNROUTABLE)
        if api.blocked:
            raise Refusal(errors.BLOCKED)
        if api.cors is not None and await _is_preflighted(call, api.cors):
            return
        resource = _resource(api, route, call.method)
        consumed = self._authenticate(call, api, resource)
        if isinstance(consumed, Unsettled):
            consumed = self._allowed(call, await _settled(call, consumed))
        if self._throttle is not None:
            await _admit_rate(self._throttle, call, api, resource)
        outgoing = self._outgoing(call, route, target, framing, consumed)
        if scope["type"] == "websocket":
            await relay(outgoing, self._forwarder, call)
            return
        call.watch(outgoing.body)
        await self._forwarder.respond(outgoing, exchange, call.send)

    def _route(self, call: Call, target: Target) -> Route:
        route = self._apis.find(target.path)
        if route is None:
            unread = unroutable(target.path)
            raise Refusal(errors.BAD_REQUEST if unread else errors.NOT_FOUND)
        told = self._proxies.scheme(call.address, call.scope["headers"])
        if (told or call.scheme) not in route.api.schemes:
            raise Refusal(errors.SCHEME_FORBIDDEN)
        return route

    def _authenticate(
        self, call: Call, api: Api, resource: Resource
    ) -> tuple[bytes, ...] | Unsettled:
        """Tell the exchange who calls; return the header lines that the credential came in, or
        what must be asked for. This is no coroutine, as most credentials are known at once.
        """
        if not resource.auth_required:
            credential = presented(call.scope["headers"])
            if credential:
                call.exchange.present(credential)
            return _NOTHING
        found = self._checker.check(call.scope["headers"], label=api.label, scopes=resource.scopes)
        if found.credential is not None:
            call.exchange.present(found.credential)
        return found if isinstance(found, Unsettled) else self._allowed(call, found)

    def _allowed(self, call: Call, found: Granted | Refused) -> tuple[bytes, ...]:
        call.exchange.identify(application=found.application, user=found.owner)
        if isinstance(found, Refused):
            refusals.tell(found, api=call.exchange.api or "")
            raise Refusal(found.failure)
        return _NOTHING if self._forward_credential else found.consumed

    def _outgoing(
        self, call: Call, route: Route, target: Target, framing: Framing, dropped: tuple[bytes, ...]
    ) -> Outgoing:
        scope, limits, body = call.scope, self._limits, None
        if framing.has_body:
            if framing.length is not None and framing.length > limits.max_body:
                raise Refusal(errors.CONTENT_TOO_LARGE)
            body = Body(call.receive, limit=limits.max_body, timeout=limits.client_timeout)
        trusted = self._proxies.any and self._proxies.trusts(call.address)
        return Outgoing(
            route.api,
            call.method,
            route.rest + target.query,
            scope["headers"],
            framing.host,
            Peer(call.address, call.scheme, trusted),
            body,
            dropped,
            call.added,
            OWN_HEADERS if call.added else frozenset(),
        )


async def _is_preflighted(call: Call, policy: CorsPolicy) -> bool:
    """Answer a preflight, and say whether it was one; any other answer gets CORS' lines."""
    headers = call.scope["headers"]
    if not is_preflight(call.method, headers):
        call.added = response_headers(policy, headers)
        return False
    await answer(call.send, 204, preflight_headers(policy, headers))
    return True


async def _settled(call: Call, found: Unsettled) -> Granted | Refused:
    """Ask about a token, as long as the client waits."""
    if call.connection is not None:
        call.watch(None)
    return await found.settle()


async def _admit_rate(throttle: Throttle, call: Call, api: Api, resource: Resource) -> None:
    exceeded = await throttle.admit(api.label, resource.path, call.exchange.application)
    if exceeded is not None:
        raise Refusal(exceeded.failure, *exceeded.headers())


async def _admit(call: Call) -> None:
    """Wait for the log, as long as the client does."""
    if call.connection is not None:
        call.watch(None)
    if not await admitted(call.exchange):
        raise Refusal(errors.LOG_UNAVAILABLE)


def _is_unclear(method: str, target: Target) -> bool:
    """Say whether programs could read the target differently; CONNECT has no resource at all."""
    return method == "CONNECT" or unroutable(target.path) or bool(_LOOSE.search(target.query))


def _headers_of(reason: Refusal | Unanswered | ClientError) -> Headers:
    if isinstance(reason, Refusal):
        return reason.headers
    if isinstance(reason, Unanswered) and reason.retry_after is not None:
        return [(b"retry-after", str(reason.retry_after).encode())]
    return []


def _resource(api: Api, route: Route, method: str) -> Resource:
    resource = api.resource(route.path, method)
    if resource is None:
        raise Refusal(errors.NO_RESOURCE)
    if isinstance(resource, MethodNotAllowed):
        raise Refusal(errors.METHOD_NOT_ALLOWED, (b"allow", resource.allow))
    return resource


async def _asterisk(call: Call, framing: Framing | None) -> None:
    """Answer `OPTIONS *`, which asks about the gateway itself (RFC 9110 §9.3.7)."""
    if framing is None or call.method != "OPTIONS":
        raise Refusal(errors.BAD_REQUEST)
    call.exchange.failed(errors.NOT_FOUND)  # no API, so no other event can tell of it
    await answer(call.send, 204, [(b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")])
