"""A clean stop: what is being answered finishes, endless streams of events end."""

import asyncio
import os
import signal
from collections.abc import Callable
from multiprocessing import parent_process
from types import FrameType
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVENTS = b"text/event-stream"
_LOOK_S = 0.1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Ends streams of events when the process is told to stop, as if their reader had left."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app
        self._told: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the begin and end of the process."""
        if scope["type"] == "lifespan":
            self._told = asyncio.Event()
            _watch_signals(self._told)
        if scope["type"] != "http" or self._told is None:
            await self._app(scope, receive, send)
            return
        answer = _Answer(self._told, receive, send)
        await self._app(scope, answer.hear, answer.say)
        await answer.finish()


class _Answer:
    """One answer, which may turn out to be endless."""

    def __init__(self, told: asyncio.Event, receive: Receive, send: Send) -> None:
        self._told = told
        self._receive = receive
        self._send = send
        self._endless = False
        self._ended = False

    async def hear(self) -> Message:
        """Return what the client sends, or that it is gone where the process is to stop."""
        heard = asyncio.ensure_future(self._receive())
        stop = asyncio.ensure_future(self._told.wait())
        try:
            await asyncio.wait({heard, stop}, return_when=asyncio.FIRST_COMPLETED)
            while not heard.done():
                if self._endless:
                    return {"type": "http.disconnect"}
                # it may begin to stream later
                await asyncio.wait({heard}, timeout=_LOOK_S)
            return heard.result()
        finally:
            heard.cancel()
            stop.cancel()

    async def say(self, message: Message) -> None:
        """Send on, and see whether this is a stream of events."""
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", ()))
            self._endless = headers.get(b"content-type", b"").startswith(_EVENTS)
        else:
            self._ended = not message.get("more_body", False)
        await self._send(message)

    async def finish(self) -> None:
        """Close a stream that was cut short in the way HTTP does."""
        if self._endless and not self._ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _watch_signals(told: asyncio.Event) -> None:
    """Hear of the first signal what the server hears; end at once at the second."""
    loop = asyncio.get_running_loop()
    # a terminal signals every process of the group, and the parent signals its workers again:
    # that is one wish to stop, and only the parent can tell a second
    alone = parent_process() is None
    for number in _SIGNALS:
        earlier = signal.getsignal(number)
        if callable(earlier):
            signal.signal(number, _handler(told, loop, earlier, alone=alone))


def _handler(
    told: asyncio.Event,
    loop: asyncio.AbstractEventLoop,
    earlier: Callable[[int, FrameType | None], Any],
    *,
    alone: bool,
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        if alone and told.is_set():
            os._exit(128 + number)
        told.set()
        loop.call_soon_threadsafe(told.set)
        earlier(number, frame)

    return handle
