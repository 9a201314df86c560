"""The page's addresses: itself, its stream, one exchange, the use of tokens."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gatewaylog.dashboard import answers
from gatewaylog.dashboard.guard import Guard
from gatewaylog.exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from starlette.requests import Request

    from gatewaylog.dashboard.board import Board

_STATIC = Path(__file__).parent / "static"
_LONGEST_QUERY = 4000  # characters
_MOST_STREAMS = 32


class _Pages:
    """Answers requests from the board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._streams = 0

    async def page(self, _: Request) -> Response:
        return FileResponse(_STATIC / "index.html", media_type="text/html")

    async def stream(self, request: Request) -> Response:
        return self._streamed(request, self._board.stream)

    async def whole(self, request: Request) -> Response:
        return self._streamed(request, self._board.whole)

    def _streamed(
        self, request: Request, stream: Callable[[str], AsyncGenerator[str, None]]
    ) -> Response:
        query = request.query_params.get("query", "")
        if len(query) > _LONGEST_QUERY:
            return PlainTextResponse("The query is too long.\n", 414)
        if self._streams >= _MOST_STREAMS:
            return PlainTextResponse("Too many pages are open.\n", 503)
        return StreamingResponse(self._counted(stream(query)), media_type="text/event-stream")

    async def _counted(self, stream: AsyncGenerator[str, None]) -> AsyncIterator[str]:
        self._streams += 1
        try:
            async with contextlib.aclosing(stream) as told:
                async for event in told:
                    yield event
        finally:
            self._streams -= 1

    async def tokens(self, _: Request) -> Response:
        return _json(self._board.tokens.told())

    async def exchange(self, request: Request) -> Response:
        identity = request.query_params.get("id", "")
        if not identity or len(identity) > _LONGEST_QUERY:
            return _json({"exchanges": []}, 400)
        try:
            found = await self._board.found(identity)
        except ReaderError as error:
            return _json({"exchanges": [], "failed": str(error)}, 503)
        return _json({"exchanges": [answers.exchange(one) for one in found]})


def _json(told: dict[str, object], status: int = 200) -> Response:
    """Return an answer; half a surrogate pair, which a log may hold, is written out."""
    return Response(json.dumps(told), status, media_type="application/json")


def application(board: Board, *, host: str, token: str | None) -> Starlette:
    """Return the ASGI application over a board that is fed, for a listener on `host`."""
    pages = _Pages(board)

    return Starlette(
        routes=[
            Route("/", pages.page),
            Route("/stream", pages.stream),
            Route("/whole", pages.whole),
            Route("/exchange", pages.exchange),
            Route("/tokens", pages.tokens),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[Middleware(Guard, host=host, token=token)],
    )
