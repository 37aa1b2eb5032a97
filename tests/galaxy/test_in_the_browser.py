"""A biologist in Galaxy, in a real browser: looks at a workflow, builds one, views what it made."""

import importlib.util
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hub_up import wait_for

from gateway.galaxy.job import describe
from gateway.galaxy.publish import workflow_files
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant

pytestmark = [pytest.mark.browser, pytest.mark.galaxy, pytest.mark.slow]
PLACE = "/services/galaxy"
WAIT_MS = 180_000


def _browser_fixtures():
    # the fixtures of the browser tests, which pytest gives to their own folder only
    path = Path(__file__).parents[1] / "browser" / "conftest.py"
    spec = importlib.util.spec_from_file_location("gateway_browser_fixtures", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_THEIRS = _browser_fixtures()
chromium, screenshots, visit = _THEIRS.chromium, _THEIRS.screenshots, _THEIRS.visit


@pytest.fixture
def ivy(real_galaxy, visit):
    """Return the browser of somebody who signed in at the hub and is in Galaxy."""
    real_galaxy.key("ivy")
    visitor = visit(real_galaxy.hub.url)
    visitor.context.set_default_timeout(WAIT_MS)
    page = visitor.page
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(f"{visitor.url}/hub/login?next={PLACE}/")
    page.fill("input[name=username]", "ivy")
    page.fill("input[name=password]", real_galaxy.hub.password("ivy"))
    page.click("[type=submit]")
    page.wait_for_selector("#masthead")
    assert page.url.startswith(f"{visitor.url}{PLACE}")
    return visitor


def test_the_editor_shows_the_shipped_workflow_laid_out_readably(real_galaxy, ivy):
    workflow = real_galaxy.client("ivy").publish_workflow(workflow_files()["tiles_to_nuclei"])
    page = ivy.go(f"{PLACE}/workflows/edit?id={workflow}")
    nodes = page.locator(".workflow-node")
    nodes.nth(6).wait_for()
    page.wait_for_function("() => document.querySelectorAll('[id^=connection-]').length === 10")
    labels = {node.get_attribute("node-label") for node in nodes.all()}
    assert labels >= {"Tiles", "Diameter of a nucleus", "Stitch", "Detect nuclei", "Measure"}
    boxes = [node.bounding_box() for node in nodes.all()]
    assert not [pair for pair in combinations(boxes, 2) if _overlap(*pair)]
    canvas = page.locator("#workflow-canvas").bounding_box()
    assert all(_overlap(box, canvas) for box in boxes)
    ivy.shoot("editor")


def test_a_workflow_built_by_clicking_runs_and_its_result_opens_in_the_viewer(
    real_galaxy, ivy, fill_dataset
):
    gateway, client = real_galaxy.gateway, real_galaxy.client("ivy")
    fill_dataset(gateway.store, "ivy-brain", points=50)
    grant(gateway, "ivy-brain", "person:ivy", Role.EDITOR)
    history = client.history("ivy's work")
    client.send([describe(gateway, "ivy-brain/image")], history)
    ivy.page.request.get(f"{ivy.url}{PLACE}/history/set_as_current?id={history}")
    _build(ivy)
    ivy.page.click("#activity-workflow-run")
    ivy.page.click("#run-workflow")
    galaxy = real_galaxy.raw("ivy")
    (invocation,) = wait_for(galaxy.invocations.get_invocations, "the start of the workflow")
    (made,) = wait_for(lambda: _ended(galaxy, history, "Downsample"), "the end of the workflow")
    assert made["state"] == "ok"
    assert invocation["history_id"] == history
    small = client.fetch(made["id"])
    assert small.ref.startswith("ivy-brain/downsample-")
    assert small.facts["shape"] == [2, 48, 80, 64]
    _view(ivy, made["id"])


def _build(ivy):
    """Compose two tools in the editor, as people do."""
    page = ivy.go(f"{PLACE}/workflows/edit")
    page.fill("#workflow-name", "Smooth, then smaller")
    page.click("#activity-workflow-editor-inputs")
    page.click(".workflow-input-button[data-id='data_input']")
    page.click("#activity-workflow-editor-tools")
    for number, tool in enumerate(("Smooth gaussian", "Downsample"), start=2):
        page.locator(".toolTitle a", has_text=tool).first.click()
        page.locator(".workflow-node").nth(number - 1).wait_for()
        page.locator(f"[node-label='{tool}'] [input-name='image']").wait_for()
    page.click("#auto-layout-button")
    page.wait_for_timeout(1000)  # the nodes glide to their places
    _connect(page, "Input Dataset", "output", "Smooth gaussian")
    _connect(page, "Smooth gaussian", "image_out", "Downsample")
    page.wait_for_function("() => document.querySelectorAll('[id^=connection-]').length === 2")
    page.click("#auto-layout-button")
    page.wait_for_timeout(1000)
    ivy.shoot("built")
    page.click("#workflow-save-button")
    page.wait_for_url("**/workflows/edit?id=*")


def _connect(page, source, output, sink):
    """Drag an output of one node to the image of another."""
    ends = [
        page.locator(f"[node-label='{source}'] [output-name='{output}']").bounding_box(),
        page.locator(f"[node-label='{sink}'] [input-name='image']").bounding_box(),
    ]
    (x0, y0), (x1, y1) = ((e["x"] + e["width"] / 2, e["y"] + e["height"] / 2) for e in ends)
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=5)
    page.mouse.move(x1, y1, steps=10)
    page.mouse.up()
    page.wait_for_timeout(300)


def _view(ivy, dataset):
    """Follow the link of a dataset of the history to the viewer, which draws it."""
    page = ivy.go(f"{PLACE}/")
    item = page.locator("[data-hid]:has-text('Downsample')").first
    item.locator(".name").click()
    link = item.locator("a", has_text="open in viewer")
    ivy.shoot("history")
    with ivy.context.expect_page() as opened:
        link.click()
    viewer = opened.value
    viewer.wait_for_url("**/services/gateway/d/ivy-brain/view*")
    viewer.wait_for_function("() => document.body.dataset.viewer === 'settled'")
    seen = ivy.shoot("viewer", viewer)
    assert np.count_nonzero(seen.min(axis=2) > 128) > 1000, "the ball is drawn"
    assert dataset


def _ended(galaxy, history, name):
    """Return the datasets of a history by a tool, once they are there and done."""
    shown = galaxy.histories.show_history(history, contents=True)
    found = [item for item in shown if item["name"].startswith(name)]
    return [item for item in found if item["state"] in ("ok", "error")]


def _overlap(one, other):
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )
