"""What the states make a stock viewer draw: points where they lie, and a true checkerboard."""

import numpy as np
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCALE = 0.25
"""Voxels of the first volume per pixel of the screen, so that a field is ten of them."""


@pytest.fixture
def client(visit, server, fill_dataset):
    """Return what draws a state, changed a little, and gives the pixels of its one panel."""
    fill_dataset(server.gateway.store, "ball")
    visitor = visit(server.url, login=server.login)
    page = visitor.go("/v/states/")
    page.wait_for_function("() => window.viewer !== undefined")

    def draw(name, path, **change):
        state = page.evaluate("async (path) => (await fetch(path)).json()", path)
        plain = {"layout": "xy", "showDefaultAnnotations": False, "showAxisLines": False}
        state |= plain | {"showScaleBar": False, "crossSectionScale": SCALE} | change
        return show(name, state)

    def show(name, state):
        page.evaluate(
            "(state) => { viewer.state.reset(); viewer.state.restoreState(state); }", state
        )
        page.wait_for_timeout(300)
        page.wait_for_function("() => viewer.isReady()")
        page.wait_for_timeout(700)
        return visitor.shoot(name)[60:-10, 10:-10].astype(int), state

    draw.show, draw.visitor = show, visitor
    return draw


def bright(pixels):
    return pixels.min(axis=2) > 200


def test_points_are_drawn_where_they_lie(client) -> None:
    pixels, state = client("points", "/api/state/ball/of/cells")
    pixels = pixels[:, 100:-100]  # the letters of the axes stand at the left
    coloured = (pixels.max(axis=2) - pixels.min(axis=2)) > 100
    rows, columns = np.nonzero(coloured)
    assert len(rows) > 2000
    side = 56 / SCALE  # the points fill a cube of 56 µm; a view of points has voxels of 1 µm
    for at, length in ((rows, pixels.shape[0]), (columns, pixels.shape[1])):
        assert abs((at.max() - at.min()) - side) < 30
        assert abs((at.max() + at.min()) / 2 - length / 2) < 40
    assert state["layers"][0]["type"] == "annotation"


def test_the_checkerboard_shows_both_volumes_in_turns_and_holds_still_in_the_data(client) -> None:
    """The ball of one channel is cut into fields by the dark of the other."""
    path = "/api/state/ball/compare?first=image&second=image&second_channel=1&mode=checkerboard"
    one, state = client("checker", path)
    whole, _ = client("ball", "/api/state/ball/of/image", layers=[state["layers"][0]])
    ball = bright(whole)
    assert ball.sum() > 20_000
    share = (bright(one) & ball).sum() / ball.sum()
    assert 0.35 < share < 0.65
    assert not (bright(one) & ~ball).any()
    upper = state["layers"][1]
    swapped = {**upper, "shaderControls": {**upper["shaderControls"], "swap": True}}
    other, _ = client.show("swapped", {**state, "layers": [state["layers"][0], swapped]})
    assert ((bright(one) ^ bright(other)) & ball).sum() / ball.sum() > 0.98
    x, y, z = state["position"][:3]
    moved, _ = client.show("moved", {**state, "position": [x + 5, y, z]})
    shift = round(5 / SCALE)
    same = bright(moved)[:, :-shift] == bright(one)[:, shift:]
    assert same.mean() > 0.99


def test_side_by_side_shows_one_volume_in_each(client) -> None:
    path = "/api/state/ball/compare?first=image&second=labels&mode=opposing"
    visitor = client.visitor
    page = visitor.page
    state = page.evaluate("async (path) => (await fetch(path)).json()", path)
    client.show("opposing", {**state, "showDefaultAnnotations": False, "crossSectionScale": 0.5})
    shown = page.evaluate(
        "() => viewer.state.toJSON().layout.children.map((child) => child.layers)"
    )
    assert shown == [["first: image · nuclei"], ["second: labels"]]
    pixels = visitor.shoot("opposing-both")[60:-10].astype(int)
    half = pixels.shape[1] // 2
    for side in (pixels[:, :half], pixels[:, half:]):
        assert bright(side).sum() > 3000
