"""Slices and solids in a real JupyterLab, and the viewer of a gateway elsewhere."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.service.access.actor import Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]

_WEB = Path(__file__).parents[1] / "web" / "conftest.py"


def _serving() -> Any:
    spec = importlib.util.spec_from_file_location("gateway_lab_web_fixtures", _WEB)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.serving


def picture(here: Any, place: Any, name: str) -> Any:
    """Return the pixels of an element of the page."""
    place.scroll_into_view_if_needed()
    here.page.wait_for_timeout(500)
    box = place.bounding_box()
    pixels = here.shoot(name)
    rows = slice(max(0, int(box["y"])), int(box["y"] + box["height"]))
    return pixels[rows, int(box["x"]) : int(box["x"] + box["width"])].astype(int)


def test_slices_show_the_cube_where_the_volume_has_it(notebook) -> None:
    here = notebook(
        "slices",
        "import gateway.notebook as nb\n"
        "slices = nb.slices('cube/raw', labels='cube/masks', points='cube/cells', pixels=480)\n"
        "slices.over.value = False\n"
        "slices.position_um = [48.0, 20.0, 20.0]\n"
        "slices",
    )
    here.run()
    image = here.page.locator(".jp-OutputArea img").first
    image.wait_for()
    seen = picture(here, image, "slices")
    scale = seen.shape[1] / 96
    row, column = int(32.5 * scale), int(64.5 * scale)
    assert seen[row, column].min() > 200, "the middle of the cube"
    assert seen[row, int(40 * scale)].max() < 60, "beside it"
    here.page.locator(".jp-OutputArea .noUi-handle").first.focus()
    for _ in range(12):
        here.page.keyboard.press("ArrowLeft")
    here.until("print(slices.position_um[0] < 32)", lambda said: said == "True")
    here.page.wait_for_timeout(1500)
    assert picture(here, image, "slices-below")[row, column].max() < 60, "below the cube"
    assert here.abroad() == []


def test_a_solid_is_bright_where_the_volume_is(notebook) -> None:
    cube, ground = ((24, 16, 48), (72, 48, 80)), ((0, 60, 0), (30, 92, 32))
    here = notebook(
        "solid",
        "import gateway.notebook as nb",
        f"nb.view3d('cube/raw', box={cube}, points='cube/cells', height=360)",
        f"nb.view3d('cube/raw', box={ground}, height=360)",
    )
    here.run()
    # a figure has more than one canvas; the first of each cell is the picture
    cells = here.page.locator(".jp-CodeCell")
    canvas = [cells.nth(number).locator("canvas").first for number in (1, 2)]
    for one in canvas:
        one.wait_for()
    here.page.wait_for_timeout(4000)
    bright, dark = (picture(here, canvas[n], f"solid-{n}") for n in (0, 1))
    middle = [
        part[part.shape[0] // 2 - 40 :, :][:80, part.shape[1] // 2 - 40 :][:, :80]
        for part in (bright, dark)
    ]
    assert np.abs(np.median(middle[0], axis=(0, 1)) - np.median(middle[1], axis=(0, 1))).max() > 25
    assert here.abroad() == []


def test_the_viewer_of_a_gateway_elsewhere_shows_what_a_viewer_may_see(notebook, lab_home) -> None:
    with _serving()(lab_home) as server:
        client = server.client("ana", cube=Role.VIEWER)
        token = client.headers["Authorization"].removeprefix("Bearer ")
        client.close()
        here = notebook(
            "remote",
            "import gateway, gateway.notebook as nb\n"
            f"nb.use(gateway.connect('{server.url}', '{token}'))\n"
            "view = nb.view('cube/raw', panels='xy', um_per_pixel=0.25, position_um=[48, 32, 64])\n"
            "view",
        )
        here.run()
        here.until("print(view.settled, view.trouble)", lambda said: said == "True")
        here.page.wait_for_timeout(500)
        pixels = here.shoot("remote")
        x, y = here.panel()
        assert pixels[int(y + 10), int(x + 10)].min() > 180
        assert pixels[int(y), int(x - 60)].max() < 60
        asked = "import os; os.environ['GATEWAY_URL'] = 'set'; nb.lesson()"
        assert "has no demo/regions that you may see; the trainer puts" in here.python(asked)
        assert any(url.startswith(f"{server.url}/s/p.") for url in here.requests)
        assert here.abroad() == []
