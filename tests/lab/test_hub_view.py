"""The viewer in somebody's JupyterLab behind the hub, in a container, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from hub_up import Hub, Visitor
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.docker, pytest.mark.hub, pytest.mark.slow]
VIEW = (
    "import gateway.notebook as nb\nmiddle = [106, 100, 94]",
    "view = nb.view('ana1/image', panels='xy', um_per_pixel=0.25, position_um=middle)\nview",
)


def put_notebook(person: Visitor, name: str, cells: tuple[str, ...]) -> str:
    """Write a notebook into somebody's home; return where a browser opens it."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    place = f"{person.hub.url}/user/{person.name}"
    made = httpx.put(
        f"{place}/api/contents/{name}",
        headers=person.token,
        json={"type": "notebook", "content": notebook},
        timeout=60,
    )
    assert made.status_code == 201, made.text
    return f"{place}/lab/tree/{name}?reset"


def sign_in(page: Page, hub: Hub, person: Visitor) -> None:
    page.goto(f"{hub.url}/hub/login")
    page.fill("input[name=username]", person.name)
    page.fill("input[name=password]", hub.password(person.name))
    page.click("#login_submit")
    page.wait_for_url("**/hub/home")


def test_the_viewer_draws_in_a_container_behind_the_hub(
    front: Hub, chromium: Browser, shots: Path, notebook_class: Callable[..., Any]
) -> None:
    ana = front.visitor("ana")
    ana.start_server(size="large", gpu="none")
    address = put_notebook(ana, "view.ipynb", VIEW)
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        sign_in(page, front, ana)
        here = notebook_class(page, address, shots)
        here.run()
        here.until("print(view.settled, view.trouble)", lambda said: said == "True")
        page.wait_for_timeout(500)
        pixels = here.shoot("hub-view").astype(int)
        x, y = (int(place) for place in here.panel())
        assert pixels[y + 10, x + 10].max() > pixels[y + 10, x - 160].max() + 60
        assert here.abroad() == []
    finally:
        context.close()
        ana.stop_server()
