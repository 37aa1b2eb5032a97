"""The stock client for a frame of another page, such as a notebook, with which it talks."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from gateway.service.access.actor import Actor
from gateway.web.pages.viewer import client_answer
from gateway.web.rules import Anyone

router = APIRouter(include_in_schema=False)

_INDEX = "index.html"
_BRIDGE = b'<script type="module" src="../../static/viewer-embed.js"></script>'


@router.get("/v/embedded/")
def embedded_page(request: Request, actor: Anyone) -> Response:
    """Answer the page of the client with the bridge to the page that frames it."""
    return client_answer(request, _INDEX, ancestors=_ancestors(actor), head=_BRIDGE)


@router.get("/v/embedded/{name}")
def embedded_file(request: Request, name: str, actor: Anyone) -> Response:
    """Answer a file of the client.

    Raises:
        NotFoundError: It has no such file.
    """
    head = _BRIDGE if name == _INDEX else b""
    return client_answer(request, name, ancestors=_ancestors(actor), head=head)


def _ancestors(actor: Actor) -> str:
    """Return who may frame the client: anybody who holds a link, whose cookie plays no part."""
    return "'self'" if actor.link is None else "http: https: vscode-webview:"
