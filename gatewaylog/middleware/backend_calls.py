"""Makes an httpx client tell the running exchange of its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gatewaylog.exchange import Exchange, running

if TYPE_CHECKING:
    import httpx

    Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)


def log_backend_calls(client: Client) -> Client:
    """Record each call of an `httpx.Client` or `httpx.AsyncClient` as an attempt.

    Calls outside of an exchange are left alone. Returns the client, so that it can be made and
    watched in one line. It works by the client's event hooks; redirects count as calls of their
    own.
    """
    import httpx

    if isinstance(client, httpx.AsyncClient):
        client.event_hooks = {
            "request": [*client.event_hooks["request"], _async_request],
            "response": [*client.event_hooks["response"], _async_response],
        }
    else:
        client.event_hooks = {
            "request": [*client.event_hooks["request"], _request],
            "response": [*client.event_hooks["response"], _response],
        }
    return client


def _request(request: httpx.Request) -> None:
    exchange: Exchange | None = running.get()
    if exchange is not None:
        exchange.attempt(request.method, str(request.url))


def _response(response: httpx.Response) -> None:
    exchange: Exchange | None = running.get()
    if exchange is not None:
        exchange.answered(response.status_code)


async def _async_request(request: httpx.Request) -> None:
    _request(request)


async def _async_response(response: httpx.Response) -> None:
    _response(response)
