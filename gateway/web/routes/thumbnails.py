"""Pictures of entries, made in two threads of their own so that nobody waits behind them."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from gateway.service.browse.thumbnails import kept_thumbnail, make_thumbnail, thumbnail_key
from gateway.volumes.ref import Ref
from gateway.web.rules import GatewayHere, Viewer

router = APIRouter(prefix="/api", tags=["datasets"])
_MAKERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="thumbnail")
_FRESH = "private, max-age=300"


@router.get(
    "/entries/{dataset}/{entry}/thumbnail.png",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "The picture."},
        304: {"description": "The picture that `If-None-Match` names is still the one."},
        422: {"description": "No picture is made of things of this kind."},
    },
)
async def thumbnail(
    request: Request, gateway: GatewayHere, actor: Viewer, dataset: str, entry: str
) -> Response:
    """Return a picture of a volume or table, seen from above."""
    del actor
    ref = Ref(dataset, entry)
    key = await run_in_threadpool(thumbnail_key, gateway, ref)
    tag = f'"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": _FRESH}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    png = await run_in_threadpool(kept_thumbnail, gateway, key)
    if png is None:
        loop = asyncio.get_running_loop()
        png = await loop.run_in_executor(_MAKERS, make_thumbnail, gateway, ref, key)
    return Response(png, media_type="image/png", headers=headers)
