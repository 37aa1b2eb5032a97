"""The viewer page in a real browser: pixels where the volume has them, saving, sharing, phones."""

import json
from contextlib import closing
from urllib.parse import quote

import httpx
import numpy as np
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CENTRE = "48,32,64"
"""Middle of the cube in micrometres, zyx."""
SCALE = 0.25
"""Micrometres a pixel."""
HALF = 8 / SCALE
"""Half the side of the cube on the screen."""
CLOSE = {"crossSectionScale": SCALE, "showAxisLines": False, "layout": "xy"}
SHADER = "#uicontrol invlerp contrast\nvoid main() { emitGrayscale(contrast()); }\n"


@pytest.fixture
def server(cube_server):
    return cube_server


MARKS = {
    "name": "marks",
    "type": "annotation",
    "source": "local://annotations",
    "shader": "void main() { setColor(vec3(1, 1, 1)); setPointMarkerSize(24.0); }",
    "annotations": [
        {"type": "point", "id": f"{x}-{y}", "point": [x, y, 24]}
        for x in (44, 48, 80, 84)
        for y in range(20, 46, 4)
    ],
}
"""Bright points beside the cube."""


def open_cube(visitor, query=f"?at={CENTRE}") -> None:
    visitor.go(f"/d/cube/view{query}")
    visitor.settle()


def look_closely(visitor) -> None:
    visitor.client("viewer.state.restoreState(given)", CLOSE)
    visitor.page.wait_for_timeout(1500)


def brightness(pixels, x: float, y: float, reach: float = 3) -> float:
    part = pixels[int(y - reach) : int(y + reach), int(x - reach) : int(x + reach)]
    return float(np.median(part))


def assert_cube(pixels, x: float, y: float) -> None:
    inside, outside = HALF * 0.8, HALF * 1.25
    for across, down in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)):
        assert brightness(pixels, x + across * inside, y + down * inside) > 180
        if across or down:
            assert brightness(pixels, x + across * outside, y + down * outside) < 60


def wait_for_cube(visitor, seconds: float = 30) -> None:
    x, y = visitor.panel()
    for _ in range(int(seconds / 0.5)):
        if brightness(visitor.shoot("mended"), x, y) > 180:
            return
        visitor.page.wait_for_timeout(500)


def test_one_signs_in_by_the_link_and_finds_the_viewer(visitor) -> None:
    page = visitor.go("/")
    page.locator('a[href="/d/cube"]').first.click()
    page.locator('a[href^="/d/cube/view"]').first.click()
    visitor.settle()
    assert page.locator("h1").inner_text() == "View"
    visitor.shoot("viewer")


def test_the_bright_cube_is_where_the_volume_has_it(visitor) -> None:
    open_cube(visitor)
    look_closely(visitor)
    assert_cube(visitor.shoot("cube"), *visitor.panel())


def test_a_view_is_saved_versioned_and_comes_back(visitor, server) -> None:
    open_cube(visitor)
    page = visitor.page
    look_closely(visitor)
    page.get_by_role("button", name="Save view").click()
    page.get_by_label("Name", exact=True).fill("the cube")
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("#save-done").wait_for()
    link = page.locator("#save-link").inner_text()
    assert link.startswith(f"{visitor.url}/view/")
    visitor.go(link.removeprefix(visitor.url))
    visitor.settle()
    assert visitor.client("viewer.state.toJSON().crossSectionScale") == SCALE
    assert_cube(visitor.shoot("again"), *visitor.panel())
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator("#save-done").wait_for()
    with closing(server.browser()) as client:
        kept = client.get(f"/api/views/{link.rsplit('/', 1)[1]}").json()
    assert (kept["name"], kept["version"]) == ("the cube", 2)


def test_an_empty_viewer_is_not_saved(visitor, server) -> None:
    with closing(server.browser()) as client:
        before = client.get("/api/views/of/cube").json()
    open_cube(visitor)
    visitor.client("viewer.state.restoreState({layers: []})")
    visitor.client("viewer.layerManager.clear()")
    page = visitor.page
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("nothing is shown, so there is nothing to save").wait_for()
    with closing(server.browser()) as client:
        assert client.get("/api/views/of/cube").json() == before


def test_a_box_is_exported_as_the_volume_has_it(visitor) -> None:
    open_cube(visitor)
    page = visitor.page
    page.get_by_role("button", name="Export box").click()
    for axis, low, high in zip("zyx", (16, 24, 56), (32, 40, 72), strict=True):
        page.locator(f"#box-{axis}0").fill(str(low))
        page.locator(f"#box-{axis}1").fill(str(high))
    page.locator("#box-format").select_option("npy")
    assert "voxels, 0.0 MiB" in page.locator("#box-size").inner_text()
    assert "cube/raw" in page.locator("#box-python").inner_text()
    with page.expect_download() as started:
        page.locator("#box-download").click()
    voxels = np.load(started.value.path())
    assert voxels.shape[-3:] == (16, 16, 16)
    assert voxels.min() == voxels.max() == 4000


def test_contrast_that_hides_all_is_explained_and_mended(visitor) -> None:
    open_cube(visitor)
    look_closely(visitor)
    state = visitor.client("JSON.parse(JSON.stringify(viewer.state.toJSON()))")
    state["layers"][0]["shaderControls"] = {"contrast": {"range": [60000, 65000]}}
    state["layers"].append(MARKS)  # which shine over the black image, but are no image
    visitor.client("(viewer.state.reset(), viewer.state.restoreState(given))", state)
    visitor.page.wait_for_timeout(2500)
    page = visitor.page
    page.get_by_role("button", name="Nothing to see?").click()
    page.get_by_text("every pixel is the same").wait_for()
    visitor.shoot("doctor")
    page.get_by_role("button", name="Contrast: auto").click()
    page.get_by_text("Everything in view is drawn").wait_for()
    wait_for_cube(visitor)
    assert_cube(visitor.shoot("mended"), *visitor.panel())


def test_keys_open_the_help_and_toggle_layers(visitor) -> None:
    open_cube(visitor)
    page = visitor.page
    page.locator("#client").focus()
    page.keyboard.press("?")
    page.locator("#help-dialog[open]").wait_for()
    visitor.shoot("help")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Layers").click()
    page.locator("#layer-list input[type=checkbox]").first.uncheck()
    assert visitor.client("viewer.layerManager.managedLayers[0].visible") is False


def test_a_share_link_works_in_the_stock_client_of_a_fresh_profile(visit, server) -> None:
    with closing(server.browser()) as client:
        made = client.post("/api/links/cube", json={"role": "viewer"})
        assert made.status_code == 201, made.text
        shared = made.json()
    address = shared["url"]
    base = f"{server.url}{address[address.index('/s/') :]}".split("/d/")[0].rstrip("/")
    state = {
        "layers": [
            {
                "type": "image",
                "name": "raw",
                "source": f"{base}/data/cube/raw.ome.zarr/|zarr3:",
                "shader": SHADER,
                "shaderControls": {"contrast": {"range": [80, 4000]}},
            }
        ],
        "dimensions": {"x": [1e-6, "m"], "y": [1e-6, "m"], "z": [2e-6, "m"]},
        "position": [64, 32, 24],
        **CLOSE,
    }
    stranger = visit(server.url)
    page = stranger.go(f"/v/stock/#!{quote(json.dumps(state))}")
    page.wait_for_timeout(6000)
    where = page.locator(".neuroglancer-rendered-data-panel").first.bounding_box()
    x, y = where["x"] + where["width"] / 2, where["y"] + where["height"] / 2
    assert_cube(stranger.shoot("stock"), x, y)
    assert not stranger.troubles, stranger.troubles
    assert httpx.get(f"{server.url}/data/cube/raw.ome.zarr/zarr.json").status_code == 401


def test_a_share_link_opens_our_page_too(visit, server) -> None:
    with closing(server.browser()) as client:
        made = client.post("/api/links/cube", json={"role": "viewer"}).json()
    stranger = visit(server.url)
    path = made["url"][made["url"].index("/s/") :].split("/d/")[0].rstrip("/")
    stranger.go(f"{path}/d/cube/view?at={CENTRE}")
    stranger.settle()
    look_closely(stranger)
    assert_cube(stranger.shoot("shared"), *stranger.panel())
    assert stranger.page.get_by_role("button", name="Save view").count() == 0


def test_the_viewer_fits_a_phone(visit, server) -> None:
    here = visit(server.url, login=server.login, phone=True, color_scheme="dark")
    open_cube(here)
    wide = here.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    frame = here.page.locator("#client").bounding_box()
    assert frame["width"] >= 380
    assert frame["height"] >= 400
    assert frame["y"] + frame["height"] <= 845
    here.page.get_by_role("button", name="Layers").click()
    here.shoot("phone")
    assert not here.troubles, here.troubles
