"""The viewer: the stock Neuroglancer client, served under `/v/`, in a page of ours."""

import gzip
import mimetypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from gateway.errors import NotFoundError, SettingsError
from gateway.service.access.actor import Actor
from gateway.service.view.saved import get_view
from gateway.web.pages.rendering import page
from gateway.web.rules import Anyone, GatewayHere, PartViewer

router = APIRouter(include_in_schema=False)

_INDEX = "index.html"
_QUIET = (
    b'<link rel="icon" href="../../static/mark.svg" type="image/svg+xml">'
    b'<script src="../../static/viewer-quiet.js"></script>'
)
"""Ends the client's wish to follow a Python program; all of its own files are as they came."""
_PACKED = frozenset({".js", ".css", ".wasm", ".html"})
_CLIENT_POLICY = "; ".join(  # noqa: FLY002 - a line each, some with their reason
    (
        "default-src 'none'",
        # its decoders are WebAssembly, its workers start from blobs, and it makes functions out
        # of text where it packs annotations
        "script-src 'self' 'unsafe-eval' blob:",
        "worker-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",  # it places and colours its panels by style
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        # a state may add public data of others beside ours
        "connect-src 'self' https: data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)


@router.get("/d/{dataset}/view")
def viewer(request: Request, actor: PartViewer, dataset: str) -> HTMLResponse:
    """Show the layers of a dataset."""
    return _viewer_page(request, actor, dataset)


@router.get("/view/{view}")
def saved_viewer(request: Request, gateway: GatewayHere, actor: Anyone, view: str) -> HTMLResponse:
    """Show a saved view to whoever may see its dataset."""
    kept = get_view(gateway, actor, view)
    return _viewer_page(request, actor, kept.dataset, view=kept.id)


@router.get("/v/{session}/")
def client_page(request: Request, session: str, _: Anyone) -> Response:
    """Answer the page of the stock client, which holds nothing of anybody."""
    return client_file(request, session, _INDEX, _)


@router.get("/v/{session}/{name}")
def client_file(request: Request, session: str, name: str, _: Anyone) -> Response:
    """Answer a file of the stock client.

    Raises:
        NotFoundError: It has no such file.
        SettingsError: The client is not installed.
    """
    del session  # the client wants one in its address; all are the same
    return client_answer(request, name, ancestors="'self'")


def client_answer(request: Request, name: str, *, ancestors: str, head: bytes = b"") -> Response:
    """Answer a file of the stock client.

    Args:
        request: The request.
        name: Name of the file.
        ancestors: Which pages may frame it, as a content security policy says it.
        head: What its page gets beside its own scripts.

    Raises:
        NotFoundError: It has no such file.
        SettingsError: The client is not installed.
    """
    folder = client_folder()
    if name not in _client_files(folder):
        raise NotFoundError(f"the Neuroglancer client has no file {name[:200]!r}")
    # names carry the hash of their content, except the page that names the others
    life = "no-cache" if name == _INDEX else "public, max-age=31536000, immutable"
    headers = {
        "Cache-Control": life,
        "Content-Security-Policy": f"{_CLIENT_POLICY}; frame-ancestors {ancestors}",
        "Referrer-Policy": "no-referrer",  # the path may carry the token of a share link
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
    }
    headers["Vary"] = "Accept-Encoding"
    if Path(name).suffix in _PACKED and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        content = _packed(folder / name, head)
    else:
        content = _content(folder / name, head)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=kind, headers=headers)


@cache
def client_folder() -> Path:
    """Return the folder of the built client, found without importing its package.

    Raises:
        SettingsError: It is not installed.
    """
    # importing `neuroglancer` would set up a server of its own
    found = find_spec("neuroglancer")
    folder = Path(found.origin).parent / "static" / "client" if found and found.origin else None
    if folder is None or not (folder / _INDEX).is_file():
        raise SettingsError(
            "the viewer needs the Neuroglancer client, which the package neuroglancer brings; "
            "install it with `pip install 'brain-gateway[web]'`"
        )
    return folder


@cache
def _client_files(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir() if path.suffix != ".map")


@cache
def _packed(path: Path, head: bytes) -> bytes:
    return gzip.compress(_content(path, head), compresslevel=6, mtime=0)


def _content(path: Path, head: bytes) -> bytes:
    content = path.read_bytes()
    if path.name != _INDEX:
        return content
    return content.replace(b"<head>", b"<head>" + _QUIET + head, 1)


def _viewer_page(request: Request, actor: Actor, dataset: str, view: str = "") -> HTMLResponse:
    may_save = actor.person is not None
    values: dict[str, Any] = {"dataset": dataset, "view": view, "may_save": may_save}
    return page(request, "viewer.html", actor, **values)
