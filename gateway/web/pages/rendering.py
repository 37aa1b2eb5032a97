"""Templates of the pages, with what every page shows: who is signed in, where one is."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from gateway.service.access.actor import Actor
from gateway.web.pages.wording import FILTERS

FOLDER = Path(__file__).parents[1]
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(FILTERS)


def page(
    request: Request, template: str, actor: Actor, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Render a page.

    Args:
        request: The request; its root path leads every link, so that a proxy may add a prefix.
        template: File under `templates`.
        actor: Who asks; `None` values of it are shown as a sign-in link.
        status: HTTP status.
        values: What the template shows.
    """
    root = request.scope.get("root_path", "")
    shown = {"path": request.url.path.removeprefix(root), "hub": _hub(request), **values}
    content = _ENVIRONMENT.get_template(template).render(root=root, actor=actor, **shown)
    return HTMLResponse(content, status_code=status)


def _hub(request: Request) -> str:
    """Return where the hub is that this service is behind, or nothing."""
    app = request.scope.get("app")
    gateway = getattr(app.state, "gateway", None) if app is not None else None
    return str(gateway.settings.hub_url or "") if gateway is not None else ""
