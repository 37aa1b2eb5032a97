"""Chunk bytes under `/data` and `/s/<token>/data`, straight on ASGI."""

import asyncio
import logging
from collections.abc import Callable, Hashable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar, TypeVarTuple

from blake3 import blake3
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError, NotFoundError, StoreError
from gateway.service.access.actor import Actor
from gateway.service.access.passes import path_actor
from gateway.service.gateway import Gateway
from gateway.service.view.served import Bucket, Folder, Served, ServedThings
from gateway.service.view.served_chunks import MadeVolume
from gateway.service.view.served_files import Files
from gateway.service.view.served_made import MadeFiles
from gateway.service.view.served_points import read_points
from gateway.service.view.served_remote import RemoteFiles
from gateway.volumes.digest import CELLS_FILE
from gateway.web.data.addresses import Address, parse_address
from gateway.web.data.answers import answer
from gateway.web.data.decisions import Decisions
from gateway.web.data.exchange import Exchange
from gateway.web.data.pumps import pump_file, pump_made, pump_remote
from gateway.web.identity import address_of, identify
from gateway.web.observing import SEEN
from gateway.web.problems import status_of

_LOG = logging.getLogger(__name__)
_THREADS = 16
"""Of each kind: what waits for one store must not keep those of another waiting."""
_LONGEST = 256
T = TypeVar("T")
A = TypeVarTuple("A")
_DOCUMENTS = ("zarr.json", "info")
_METHODS = ("GET", "HEAD")


class DataEndpoint:
    """Answers `/data/<dataset>/<volume>.ome.zarr/<key>`."""

    def __init__(self, gateway: Gateway) -> None:
        """Serve the store of a gateway."""
        self._gateway = gateway
        self._origins = frozenset(
            origin.rstrip("/").encode() for origin in gateway.settings.allowed_origins
        )
        self._decisions = Decisions(gateway)
        self._things = ServedThings(gateway)
        self._files = Files()
        self._remote = RemoteFiles()
        self._readers = ThreadPoolExecutor(_THREADS, thread_name_prefix="data-read")
        self._finders = ThreadPoolExecutor(_THREADS, thread_name_prefix="data-find")
        self._makers = ThreadPoolExecutor(_THREADS, thread_name_prefix="data-make")
        self._made = MadeFiles(self._makers)
        self._finding: dict[Hashable, asyncio.Future[Served]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send, self._origins)
        try:
            if exchange.method in _METHODS:
                await self._answer(exchange)
            elif exchange.method == "OPTIONS":
                await exchange.preflight()
            else:
                await exchange.refuse_method()
        except GatewayError as error:
            if exchange.begun:
                raise  # the server closes the connection, so that nobody takes a part for all
            await exchange.refuse(status_of(error), error)

    def close(self) -> None:
        """Let go of the database and the threads."""
        self._decisions.close()
        for pool in (self._readers, self._finders, self._makers):
            pool.shutdown(wait=False)

    async def _answer(self, exchange: Exchange) -> None:
        address = parse_address(exchange.path, exchange.raw)
        get = exchange.headers.get
        token, cookie = _short(get(b"authorization", b"")), _short(get(b"cookie", b""))
        question = (exchange.link, token, cookie, address.ref)
        name = await self._decisions.check(question, partial(self._identify, exchange))
        exchange.scope.get(SEEN, {})["actor"] = name
        last = address.key.rpartition("/")[2]
        if address.key[0] == "." or "/." in address.key or last == CELLS_FILE:
            raise NotFoundError(f"there is no {address.key}")
        try:
            thing = self._things.known(address.ref, address.kind)
            if thing is None:
                thing = await self._find(address)
            await self._send(exchange, thing, address, document=last in _DOCUMENTS)
        except GatewayError as error:
            raise _outside(error, address) from error

    async def _send(
        self, exchange: Exchange, thing: Served, address: Address, *, document: bool
    ) -> None:
        """Open what is asked for in the way of its kind, and send it."""
        key = address.key
        if isinstance(thing, Folder):
            file = (
                await _in(self._readers, self._files.open, thing.root, key)
                if thing.slow
                else self._files.open(thing.root, key)
            )
            pump = partial(pump_file, exchange, file, self._readers)
            await answer(exchange, file, pump, document=document)
        elif isinstance(thing, Bucket):
            remote = await self._remote.open(thing.objects, thing.key(key))
            pump = partial(pump_remote, exchange, remote, self._remote)
            await answer(exchange, remote, pump, document=document)
        elif isinstance(thing, MadeVolume):
            made = await self._made.get((thing, key), partial(thing.make, key))
            await answer(exchange, made, partial(pump_made, exchange, made), document=document)
        else:
            made = await _in(self._makers, read_points, self._gateway, thing.ref, key)
            await answer(exchange, made, partial(pump_made, exchange, made), document=document)

    def _identify(self, exchange: Exchange) -> Actor:
        connection = HTTPConnection(exchange.scope)
        if exchange.link is None:
            return identify(self._gateway, connection)
        return replace(path_actor(self._gateway, exchange.link), address=address_of(connection))

    async def _find(self, address: Address) -> Served:
        """Find what stands behind a ref, once for all who ask at the same time."""
        name = (address.ref, address.kind)
        pending = self._finding.get(name)
        if pending is None:
            pending = self._finding[name] = _in(self._finders, self._things.find, *name)
            pending.add_done_callback(lambda _: self._finding.pop(name))
        return await asyncio.shield(pending)


def _outside(error: GatewayError, address: Address) -> GatewayError:
    """Return an error for who asks, who need not know where a store lies; the log tells all."""
    if isinstance(error, NotFoundError):
        return NotFoundError(f"there is no {address.key} in {address.ref}")
    _LOG.warning("%s of %s cannot be sent: %s", address.key, address.ref, error)
    return StoreError(
        f"{address.ref} cannot be read now ({type(error).__name__}); the log of the service says "
        "why: ask who runs it"
    )


def _short(secret: bytes) -> bytes:
    """Keep what is remembered of a request small, however long its cookies are."""
    return secret if len(secret) <= _LONGEST else blake3(secret).digest()


def _in(pool: Executor, work: Callable[[*A], T], *arguments: *A) -> "asyncio.Future[T]":
    return asyncio.get_running_loop().run_in_executor(pool, work, *arguments)
