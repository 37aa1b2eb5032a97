"""Whether the service works, and what Prometheus is told."""

import time
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from gateway.service.counts import check_parts
from gateway.service.gateway import Gateway
from gateway.web.metrics import exposition
from gateway.web.rules import Anyone, GatewayHere, Watcher

router = APIRouter(tags=["service"])
_KEPT_S = 1.0
_SIGNS = {True: "ok", False: "failed"}


@router.get("/health", responses={503: {"description": "Store or database does not answer."}})
def health(request: Request, gateway: GatewayHere, actor: Anyone) -> JSONResponse:
    """Say whether store and database answer: 200 when ready, else 503."""
    del actor
    parts = _parts(request, gateway)
    ready = all(parts.values())
    body = {"status": _SIGNS[ready], **{name: _SIGNS[good] for name, good in parts.items()}}
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"})


def _parts(request: Request, gateway: Gateway) -> dict[str, bool]:
    """Ask at most once a second, so that anyone may ask as often as they like."""
    state = request.app.state
    at, parts = getattr(state, "health", (0.0, {}))
    now = time.monotonic()
    if not parts or now - at > _KEPT_S:
        parts = check_parts(gateway)
        state.health = (now, parts)
    return dict(parts)


@router.get("/metrics", response_class=Response)
def metrics(gateway: GatewayHere, watcher: Watcher) -> Response:
    """Return requests, times, bytes, jobs and sessions in the text format of Prometheus.

    Open to this machine where no proxy stands before the service, to the bearer of the setting
    `metrics_token`, and to administrators.
    """
    del watcher
    return Response(
        exposition(gateway),
        media_type="text/plain; version=0.0.4",
        headers={"Cache-Control": "no-store"},
    )
