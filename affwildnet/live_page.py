"""The page of a live view: the pictures as they come, and everyone's values; for this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords.crops import encode_jpeg
from tfrecords.errors import InputError

_PAGE = Path(__file__).with_suffix(".html")
_LOOPBACK = "127.0.0.1"
_ASK_SECONDS = 0.01
_BOUNDARY = "frame"


class LivePage:
    """What the page shows now: the newest picture and values, with a number that rises; `address` is where it is."""

    def __init__(self, address: str, title: str) -> None:
        self.address = address
        self.title = title
        self.number = 0
        self.ended = False
        self.told: dict[str, Any] = {}
        self._picture: np.ndarray | None = None
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._lock = threading.Lock()

    def publish(self, picture: np.ndarray, told: dict[str, Any]) -> None:
        """Shows an uint8 RGB picture, which must not change any more, and what is told beside it."""
        with self._lock:
            self._picture, self.told = picture, told
            self.number += 1

    def end(self) -> None:
        """Tells whoever looks that nothing more comes."""
        self.ended = True

    def jpeg(self) -> bytes:
        """The newest picture, encoded when somebody asks for it."""
        with self._lock:
            number, picture, known = self.number, self._picture, self._jpeg
        if known[0] == number or picture is None:
            return known[1]
        data = encode_jpeg(picture, 80)
        self._jpeg = number, data
        return data


@contextlib.contextmanager
def serve_page(port: int, title: str) -> Iterator[LivePage]:
    """Yields the page, which a thread serves on the loopback address while the block lasts (port 0: a free one).

    Raises:
      InputError: the port is taken, or the packages of the extra ``annotate`` are missing.
    """
    try:
        import uvicorn
    except ImportError:
        raise InputError("--live", "starlette and uvicorn are missing", "pip install 'affwildnet[annotate]'") from None
    try:
        listening = socket.create_server((_LOOPBACK, port))
    except OSError as error:
        raise InputError("--port", f"port {port} cannot be used ({error.strerror})", "name another, or 0") from None
    page = LivePage(f"http://{_LOOPBACK}:{listening.getsockname()[1]}/", title)
    config = uvicorn.Config(_application(page), log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="live-page", daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield page
    finally:
        page.end()
        server.should_exit = True
        thread.join(5)
        listening.close()


def _application(page: LivePage) -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, StreamingResponse
    from starlette.routing import Route

    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

    async def index(request: Request) -> HTMLResponse:
        return HTMLResponse(
            _PAGE.read_text(encoding="utf-8").replace("TITLE", html.escape(page.title)), headers=headers
        )

    async def video(request: Request) -> StreamingResponse:
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        return StreamingResponse(_pictures(page), media_type=kind, headers=headers)

    async def values(request: Request) -> StreamingResponse:
        return StreamingResponse(_events(page), media_type="text/event-stream", headers=headers)

    # Another site's name that leads here must not be able to read the page.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[_LOOPBACK, "localhost"])
    return Starlette(routes=[Route("/", index), Route("/video", video), Route("/values", values)], middleware=[hosts])


async def _news(page: LivePage) -> AsyncIterator[int]:
    """The page's number whenever it has risen."""
    seen = 0
    while True:
        if page.number != seen:
            seen = page.number
            yield seen
        elif page.ended:
            return
        await asyncio.sleep(_ASK_SECONDS)


async def _pictures(page: LivePage) -> AsyncIterator[bytes]:
    async for _ in _news(page):
        data = await asyncio.to_thread(page.jpeg)
        head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        yield head.encode() + data + b"\r\n"


async def _events(page: LivePage) -> AsyncIterator[str]:
    async for _ in _news(page):
        yield f"data: {json.dumps(page.told)}\n\n"
    yield "event: end\ndata: {}\n\n"
