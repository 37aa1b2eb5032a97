"""ASGI's Zero Copy Send for uvicorn: file bytes go from the page cache to the socket by themselves.

Where it cannot be done (TLS, HTTP/1.0 that closes, a client that reads slowly) the bytes pass
through this process as usual, so nobody need know.
"""

import asyncio
import os
import socket
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.service.view.served_files import OpenFile
from gateway.web.data.pumps import ZERO_COPY

_EXTENSIONS: dict[str, dict[str, Any]] = {ZERO_COPY: {}}
_MORE: int | None = getattr(socket, "MSG_MORE", None)
"""Holds the head back until the file follows, in one packet; Linux has it."""
_PIECE = 2**18


class ZeroCopyProtocol(HttpToolsProtocol):
    """A connection of uvicorn that also takes `http.response.zerocopysend`."""

    _socket: socket.socket | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Stand between uvicorn and the application."""
        super().__init__(*arguments, **named)
        self._inner = self.app
        self.app = self._call

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Borrow the socket of a connection without TLS."""
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        plain = self.scheme == "http" and raw is not None
        if plain and _MORE is not None:
            self._socket = socket.socket(raw.family, raw.type, raw.proto, fileno=raw.fileno())
            self._socket.settimeout(0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the socket back: its owner closes it."""
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
        super().connection_lost(exc)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        # elsewhere the head must go out at once, as that of a stream of events
        if self._socket is None or "/data/" not in scope["path"]:
            await self._inner(scope, receive, send)
            return
        scope["extensions"] = _EXTENSIONS
        # uvicorn hands out the bound method of the object that knows this answer's state
        answer = _Answer(self._socket, send.__self__)  # type: ignore[attr-defined]
        await self._inner(scope, receive, answer.send)


class _Answer:
    """One answer: its head is held back until it is known what kind of body follows."""

    __slots__ = ("_cycle", "_socket", "_start")

    def __init__(self, borrowed: socket.socket, cycle: RequestResponseCycle) -> None:
        self._socket, self._cycle = borrowed, cycle
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        kind = message["type"]
        if kind == "http.response.start" and not self._cycle.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if kind == ZERO_COPY:
            await self._send_file(await self._head(start), message)
            return
        if start is not None:
            await self._cycle.send(start)  # type: ignore[arg-type]
        await self._cycle.send(message)  # type: ignore[arg-type]

    async def _head(self, start: Message | None) -> bytes:
        """Write status and headers as uvicorn does, or let it where it keeps a log of its own."""
        cycle = self._cycle
        if start is None:
            return b""
        if cycle.access_log:
            await cycle.send(start)  # type: ignore[arg-type]
            return b""
        parts = [STATUS_LINE[start["status"]]]
        for name, value in (*cycle.default_headers, *start["headers"]):
            parts += (name, b": ", value, b"\r\n")
            if name == b"content-length":
                cycle.expected_content_length = int(value)
        parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        cycle.chunked_encoding = False
        return b"".join(parts)

    async def _send_file(self, head: bytes, message: Message) -> None:
        cycle, file = self._cycle, message["file"]
        start, count = message["offset"], message["count"]
        if count > cycle.expected_content_length:
            raise RuntimeError("a part of a file is longer than what is left of Content-Length")
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.transport.is_closing():
            cycle.disconnected = True  # the number of its socket may be another one's by now
            return
        sent = self._send_now(head, file, start, count)
        while sent < count and not cycle.disconnected:
            piece = min(_PIECE, count - sent)
            cycle.transport.write(file.read(start + sent, piece))
            sent += piece
            if cycle.flow.write_paused:
                await cycle.flow.drain()
        if cycle.disconnected:
            return
        cycle.expected_content_length -= count
        if not message.get("more_body", False):
            self._end()

    def _send_now(self, head: bytes, file: OpenFile, start: int, count: int) -> int:
        """Send what the socket takes at once; return how many bytes of the file it took."""
        transport, taken = self._cycle.transport, 0
        if not transport.get_write_buffer_size():
            try:
                taken = self._socket.send(head, _MORE or 0) if head else 0
                if taken == len(head):
                    return os.sendfile(self._socket.fileno(), file.fileno(), start, count)
            except BlockingIOError:
                pass  # the socket is full
            except OSError:
                return 0  # the connection broke: its transport notices by itself
        if taken < len(head):
            transport.write(head[taken:])
        return 0

    def _end(self) -> None:
        cycle = self._cycle
        if cycle.expected_content_length:
            raise RuntimeError("the body is shorter than Content-Length")
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
