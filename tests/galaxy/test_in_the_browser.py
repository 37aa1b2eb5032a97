"""A biologist in Galaxy, in a real browser."""

from itertools import combinations

import pytest
from fixtures_elsewhere import fixtures_of

from gateway.galaxy.publish import workflow_files

pytestmark = [pytest.mark.browser, pytest.mark.galaxy, pytest.mark.slow]
PLACE = "/services/galaxy"
WAIT_MS = 180_000
_THEIRS = fixtures_of("browser")
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
    page.wait_for_function("() => document.querySelectorAll('[id^=connection-]').length === 9")
    labels = {node.get_attribute("node-label") for node in nodes.all()}
    assert labels >= {"Tiles", "Diameter of a nucleus", "Stitch", "Detect nuclei", "Measure"}
    boxes = [node.bounding_box() for node in nodes.all()]
    assert not [pair for pair in combinations(boxes, 2) if _overlap(*pair)]
    canvas = page.locator("#workflow-canvas").bounding_box()
    assert all(_overlap(box, canvas) for box in boxes)
    ivy.shoot("editor")


def _overlap(one, other):
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )
