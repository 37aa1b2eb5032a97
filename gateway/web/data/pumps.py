"""Pumps send spans of a content: from an open file, from a bucket, or from memory."""

import asyncio
from concurrent.futures import Executor

from gateway.errors import GatewayError
from gateway.service.view.served_files import OpenFile
from gateway.service.view.served_made import MadeFile
from gateway.service.view.served_remote import RemoteFile, RemoteFiles
from gateway.web.data.answers import send_stream
from gateway.web.data.exchange import Exchange

ZERO_COPY = "http.response.zerocopysend"
"""The ASGI extension by which a server sends a part of a file without it passing through us."""

_PIECE = 2**18
_LONG = 8 * _PIECE
"""From here on it is worth watching whether the asker is still there."""


async def pump_file(
    exchange: Exchange, file: OpenFile, pool: Executor, start: int, stop: int, *, more: bool
) -> None:
    """Send a span of a file: what is in memory at once, what is not by a thread that may wait."""
    if stop - start <= _PIECE:
        await _send_piece(exchange, file, pool, start, stop, more=more)
        return
    watch = asyncio.ensure_future(exchange.watch()) if stop - start > _LONG else None
    try:
        while start < stop and not exchange.gone:
            end = min(start + _PIECE, stop)
            await _send_piece(exchange, file, pool, start, end, more=more or end < stop)
            start = end
            await asyncio.sleep(0)  # others are served between two pieces
    finally:
        if watch is not None:
            watch.cancel()


async def pump_remote(
    exchange: Exchange, file: RemoteFile, known: RemoteFiles, start: int, stop: int, *, more: bool
) -> None:
    """Send a span of an object, piece by piece as it arrives."""
    watch = asyncio.ensure_future(exchange.watch()) if stop - start > _LONG else None
    try:
        await send_stream(exchange, file.stream(start, stop), more=more)
    except GatewayError:
        known.forget(file)
        raise
    finally:
        if watch is not None:
            watch.cancel()


async def pump_made(
    exchange: Exchange, file: MadeFile, start: int, stop: int, *, more: bool
) -> None:
    """Send a span of what is in memory."""
    body = file.content if stop - start == file.size else file.content[start:stop]
    await exchange.push({"type": "http.response.body", "body": body, "more_body": more})


async def _send_piece(
    exchange: Exchange, file: OpenFile, pool: Executor, start: int, stop: int, *, more: bool
) -> None:
    count = stop - start
    if not file.at_hand(start, count):
        loop = asyncio.get_running_loop()
        body = await loop.run_in_executor(pool, file.read, start, count)
    elif ZERO_COPY in exchange.scope.get("extensions", ()):
        message = {"type": ZERO_COPY, "file": file, "offset": start, "count": count}
        await exchange.push({**message, "more_body": more})
        return
    else:
        body = file.read(start, count)
    await exchange.push({"type": "http.response.body", "body": body, "more_body": more})
