"""Chunk bytes under `/data` and `/s/<token>/data`, straight on ASGI."""

from starlette.types import Receive, Scope, Send

from gateway.errors import NotFoundError
from gateway.service.gateway import Gateway


class DataEndpoint:
    """Answers `/data/<dataset>/<volume>.ome.zarr/<key>`."""

    def __init__(self, gateway: Gateway) -> None:
        """Serve the store of a gateway."""
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del scope, receive, send
        raise NotFoundError("there are no bytes here yet")
