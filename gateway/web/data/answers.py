"""Answers with bytes: whole, a span, several spans, or that nothing has changed."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from gateway.web.data.conditions import holds_range, is_unchanged
from gateway.web.data.exchange import Exchange, Headers
from gateway.web.data.ranges import Span, content_range, parse_range


class Content(Protocol):
    """Something that can be sent: its size and names are known, its bytes come in pieces."""

    @property
    def size(self) -> int:
        """Bytes there are."""
        ...

    @property
    def etag(self) -> bytes:
        """The tag, in quotes, that changes with the bytes."""
        ...

    @property
    def modified(self) -> bytes:
        """When it changed, as HTTP writes it; empty where nobody knows."""
        ...


class Pump(Protocol):
    """Sends spans of a content."""

    async def __call__(self, start: int, stop: int, *, more: bool) -> None:
        """Send the bytes from `start` to `stop`; `more` tells whether others follow."""
        ...


_JSON = (b"content-type", b"application/json")
_BYTES = (b"content-type", b"application/octet-stream")
_RANGES = (b"accept-ranges", b"bytes")
# What exists in a store is immutable, but a name may be deleted and used again: descriptions
# are asked for anew, chunks are trusted for a while.
_FRESH = (b"cache-control", b"private, no-cache")
_KEEP = (b"cache-control", b"private, max-age=3600")


async def answer(exchange: Exchange, content: Content, pump: Pump, *, document: bool) -> None:
    """Answer a GET or HEAD whose asker may see the content.

    Args:
        exchange: The request.
        content: What it asks for.
        pump: Sends spans of the content.
        document: Whether it is a description rather than a chunk.
    """
    get, size = exchange.headers.get, content.size
    headers = [
        (b"etag", content.etag),
        _RANGES,
        _FRESH if document else _KEEP,
        *exchange.extra,
    ]
    if content.modified:
        headers.append((b"last-modified", content.modified))
    known = get(b"if-none-match")
    if known is not None and is_unchanged(known, content.etag):
        exchange.begin(304, headers)
        await exchange.push({"type": "http.response.body", "body": b""})
        return
    headers.append(_JSON if document else _BYTES)
    spans = None if exchange.head else _spans(exchange, content)
    if spans is None:
        headers.append((b"content-length", b"%d" % size))
        exchange.begin(200, headers)
        if exchange.head or not size:
            await exchange.push({"type": "http.response.body", "body": b""})
        else:
            await pump(0, size, more=False)
    elif not spans:
        await exchange.reply(416, [*headers, (b"content-range", b"bytes */%d" % size)], b"")
    elif len(spans) == 1:
        start, stop = spans[0]
        headers.append((b"content-length", b"%d" % (stop - start)))
        headers.append((b"content-range", content_range(spans[0], size)))
        exchange.begin(206, headers)
        await pump(start, stop, more=False)
    else:
        await _send_parts(exchange, headers, spans, size, pump)


def _spans(exchange: Exchange, content: Content) -> list[Span] | None:
    wanted = exchange.headers.get(b"range")
    if wanted is None:
        return None
    same = exchange.headers.get(b"if-range")
    if same is not None and not holds_range(same, content.etag, content.modified):
        return None
    spans = parse_range(wanted, content.size)
    if spans is not None and sum(stop - start for start, stop in spans) > content.size:
        return None  # spans that overlap ask for more than there is
    return spans


async def _send_parts(
    exchange: Exchange, headers: Headers, spans: list[Span], size: int, pump: Pump
) -> None:
    """Send several spans as one multipart body."""
    boundary = secrets.token_hex(16).encode()
    kind = next(value for name, value in headers if name == b"content-type")
    heads = [
        b"\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n"
        % (boundary, kind, content_range(span, size))
        for span in spans
    ]
    tail = b"\r\n--%s--\r\n" % boundary
    length = sum(map(len, heads)) + sum(stop - start for start, stop in spans) + len(tail)
    headers = [pair for pair in headers if pair[0] != b"content-type"]
    headers.append((b"content-type", b"multipart/byteranges; boundary=" + boundary))
    headers.append((b"content-length", b"%d" % length))
    exchange.begin(206, headers)
    for head, (start, stop) in zip(heads, spans, strict=True):
        await exchange.push({"type": "http.response.body", "body": head, "more_body": True})
        await pump(start, stop, more=True)
    await exchange.push({"type": "http.response.body", "body": tail})


async def send_stream(
    exchange: Exchange, pieces: AsyncGenerator[bytes, None], *, more: bool
) -> None:
    """Send pieces as they come; the next one is fetched when the server has passed one on."""
    async with aclosing(pieces) as stream:
        async for piece in stream:
            await exchange.push({"type": "http.response.body", "body": piece, "more_body": True})
            if exchange.gone:
                return
    if not more:
        await exchange.push({"type": "http.response.body", "body": b""})
