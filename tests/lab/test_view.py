"""The viewer in a real JupyterLab: what the volume holds is what is drawn, both ways."""

import ast
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UM_PER_PIXEL = 0.25
HALF = 8 / UM_PER_PIXEL
"""Half the side of the cube on the screen."""
START = f"""
import gateway.notebook as nb
view = nb.view("cube/raw", "cube/cells", panels="xy", um_per_pixel={UM_PER_PIXEL})
view.position_um = [48, 32, 64]
view
"""


def brightness(pixels: Any, x: float, y: float, reach: float = 3) -> float:
    part = pixels[int(y - reach) : int(y + reach), int(x - reach) : int(x + reach)]
    return float(np.median(part))


def assert_cube(pixels: Any, x: float, y: float) -> None:
    """Check that the bright cube is around a place on the screen, and dark ground around it."""
    inside, outside = HALF * 0.7, HALF * 1.3
    for across, down in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        assert brightness(pixels, x + across * inside, y + down * inside) > 180
        assert brightness(pixels, x + across * outside, y + down * outside) < 60


def drawn(here: Any) -> None:
    here.until("print(view.settled, view.trouble)", lambda said: said == "True")
    here.page.wait_for_timeout(500)


def click(here: Any, x: float, y: float) -> None:
    here.page.mouse.move(x - 30, y - 40)
    here.page.mouse.move(x, y, steps=3)
    here.page.wait_for_timeout(1000)
    here.page.mouse.click(x, y)


@pytest.fixture(scope="module")
def shown(notebook_of_file) -> Any:
    opened = notebook_of_file("view", START, "sliders = view.sliders(); sliders")
    opened.run()
    return opened


@pytest.fixture
def here(shown) -> Any:
    """Return the notebook with the view at the middle of the cube."""
    shown.python("view.position_um = [48.0, 32.0, 64.0]")
    drawn(shown)
    return shown


def test_the_cube_is_where_the_volume_has_it_and_nothing_leaves_the_machine(here) -> None:
    assert_cube(here.shoot("view"), *here.panel())
    said = ast.literal_eval(here.python("print(view.layers)"))
    assert said["raw"]["type"] == "image"
    assert said["raw"]["contrast"] == [80, 4000]
    assert said["cells"]["type"] == "annotation"
    assert len(here.requests) > 50
    assert here.abroad() == []


def test_a_slider_moves_the_view_and_the_view_moves_the_slider(here) -> None:
    before = here.panel()
    here.python("sliders.children[2].value = 64 - 10")
    here.until("print(view.position_um)", lambda said: said == "[48.0, 32.0, 54.0]")
    drawn(here)
    assert_cube(here.shoot("moved"), before[0] + 10 / UM_PER_PIXEL, before[1])
    # the mouse pulls the picture to the left: the cross goes right, and the slider with it
    here.page.mouse.move(*before)
    here.page.mouse.down()
    here.page.mouse.move(before[0] - 40, before[1], steps=4)
    here.page.wait_for_timeout(500)
    here.page.mouse.up()
    drawn(here)
    here.python("def gap(): return abs(sliders.children[2].value - view.position_um[2])")
    code = "print(view.position_um[2] > 56, gap() < 0.1)"
    here.until(code, lambda said: said == "True True")
    across = float(here.python("print(view.position_um[2])"))
    assert_cube(here.shoot("pulled"), before[0] + (64 - across) / UM_PER_PIXEL, before[1])


def test_a_handle_pulled_in_the_page_moves_the_view(here) -> None:
    handle = here.page.locator(".jp-OutputArea .noUi-handle").nth(2)
    handle.focus()
    for _ in range(5):
        here.page.keyboard.press("ArrowLeft")
    code = "print(view.position_um[2] < 64 and view.position_um[2] == sliders.children[2].value)"
    here.until(code, lambda said: said == "True")


def test_a_click_on_a_point_tells_its_row(here) -> None:
    here.python("seen = []; view.on_pick(lambda view: seen.append(view.row))")
    click(here, *here.panel())
    code = "print(view.picked['layer'], view.picked['id'], view.row['size'], len(seen))"
    assert here.until(code, lambda said: said.startswith("cells")).split()[2] == "2.5"
    assert here.python("print(view.picked['values']['raw'])") == "4000"


def test_layers_are_changed_from_python(here) -> None:
    here.python("view.show_layer('raw', contrast=(6000, 9000))")
    here.until("print(view.layers['raw']['contrast'])", lambda said: said == "[6000, 9000]")
    here.page.wait_for_timeout(1500)
    x, y = here.panel()
    assert brightness(here.shoot("dark"), x + HALF * 0.7, y) < 60
    here.python("view.show_layer('raw', contrast=(80, 4000), colour='#ff0000')")
    here.page.wait_for_timeout(1500)
    pixels = here.shoot("red")
    red, green, _ = pixels[int(y), int(x + HALF * 0.7)]
    assert red > 180
    assert green < 60


def test_labels_and_rows_of_ones_own_are_shown_and_picked(notebook) -> None:
    here = notebook(
        "own",
        "import gateway.notebook as nb\n"
        "rows = {'z_um': [48.0], 'y_um': [32.0], 'x_um': [50.0], 'note': ['mine']}\n"
        "view = nb.view('cube/raw', 'cube/masks', points={'mine': rows}, panels='xy',\n"
        f"               um_per_pixel={UM_PER_PIXEL}, position_um=[48, 32, 64])\n"
        "view",
    )
    here.run()
    drawn(here)
    x, y = here.panel()
    pixels = here.shoot("labels")
    inside = pixels[int(y + 10), int(x + 10)].astype(int)
    assert np.ptp(inside) > 20, "the label colours the cube"
    for place, code, expected in (
        ((x + 10, y + 10), "print(view.label)", "7"),
        ((x - 14 / UM_PER_PIXEL, y), "print(view.row['note'])", "mine"),
    ):
        here.python("view.position_um = [48.0, 32.0, 64.0]")
        drawn(here)
        click(here, *place)
        here.until(code, lambda said, expected=expected: said == expected)
    assert here.abroad() == []
