"""Makes an httpx client tell the running exchange of its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from gatewaylog.exchange import Exchange, running

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)


def log_backend_calls(client: Client) -> Client:
    """Record each call of an `httpx.Client` or `httpx.AsyncClient` as an attempt.

    Calls outside of an exchange are left alone. Returns the client, so that it can be made and
    watched in one line. It works by the client's event hooks; redirects count as calls of their
    own. A client that is watched already stays as it is.
    """
    import httpx

    if isinstance(client, httpx.AsyncClient):
        _hook(client, _async_request, _async_response)
    else:
        _hook(client, _request, _response)
    return client


def _hook(
    client: httpx.Client | httpx.AsyncClient,
    request: Callable[..., object],
    response: Callable[..., object],
) -> None:
    hooks = client.event_hooks
    if request not in hooks["request"]:
        client.event_hooks = {
            "request": [*hooks["request"], request],
            "response": [*hooks["response"], response],
        }


def _request(request: httpx.Request) -> None:
    exchange: Exchange | None = running.get()
    if exchange is not None:
        exchange.attempt(request.method, request.url)


def _response(response: httpx.Response) -> None:
    exchange: Exchange | None = running.get()
    if exchange is not None:
        exchange.answered(response.status_code)


async def _async_request(request: httpx.Request) -> None:
    _request(request)


async def _async_response(response: httpx.Response) -> None:
    _response(response)
