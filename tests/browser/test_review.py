"""Proof-reading in a real browser: keys, the mouse, two people on one layer, a lost connection."""

from collections.abc import Callable
from contextlib import closing

import pytest

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.login import login_key
from gateway.service.access.people import ensure_person

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LAYER = "/api/layers/cube/cells"
CELLS = [[20.0, 20.0, 20.0], [48.0, 32.0, 64.0], [70.0, 70.0, 40.0]]
CLOSE = {"crossSectionScale": 0.25, "showAxisLines": False, "layout": "xy"}


@pytest.fixture
def server(cube_server):
    return cube_server


@pytest.fixture
def api(server):
    """Yield the administrator's client, with a layer of three points made."""
    with closing(server.browser()) as client:
        body = {"name": "cells", "volume": "raw", "classes": ["neuron", "glia"]}
        assert client.post("/api/layers/cube", json=body).status_code == 201
        edits = [
            {"op": "create", "shape": "point", "points": [p], "properties": {"doubt": n}}
            for n, p in enumerate(CELLS)
        ]
        answer = client.post(f"{LAYER}/edits", json={"base": 0, "edits": edits})
        assert answer.status_code == 200, answer.text
        yield client
        assert client.delete(LAYER).status_code == 204


@pytest.fixture
def reader(visitor, api):
    """Return a browser on the review page, its layer loaded."""
    del api
    open_layer(visitor)
    return visitor


def open_layer(visitor) -> None:
    visitor.go("/d/cube/review/cells")
    visitor.page.wait_for_function("() => document.body.dataset.review === 'ready'")
    visitor.settle()
    visitor.page.locator("#client").focus()


def objects(api) -> dict[int, dict]:
    told = api.get(f"{LAYER}/objects").json()
    return {each["id"]: each for each in told["objects"]}


def saved(visitor) -> None:
    """Wait until nothing of this page waits to be sent."""
    visitor.page.wait_for_function(
        "() => !gatewayReview.store.sending && !gatewayReview.store.outbox.waiting().length"
    )
    visitor.page.wait_for_timeout(500)


def look_at(visitor, point: list[float]) -> tuple[float, float]:
    """Show one plane through a point, near; return where on the page the point is."""
    visitor.client("viewer.state.restoreState(given)", CLOSE)
    z, y, x = point
    visitor.client("viewer.position.value = Float32Array.from(given)", [x, y, z / 2])
    visitor.page.wait_for_timeout(1500)
    return visitor.panel()


def hover(visitor, x: float, y: float, number: int) -> None:
    """Put the mouse over an object, and wait until the viewer has noticed."""
    for _ in range(40):
        visitor.page.mouse.move(x - 60, y - 60)
        visitor.page.mouse.move(x, y)
        visitor.page.wait_for_timeout(250)
        if visitor.client("viewer.mouseState.pickedAnnotationId") == str(number):
            return
    visitor.shoot("not-picked")
    pytest.fail(f"the viewer does not see the object {number} under the mouse")


def press(visitor, *keys: str) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)
        visitor.page.wait_for_timeout(150)


def test_keys_step_accept_reject_and_class(reader, api) -> None:
    press(reader, "n", "a", "n", "r", "ArrowRight", "2")
    saved(reader)
    first, second, third = (objects(api)[n] for n in (1, 2, 3))
    assert (first["status"], second["status"], third["class"]) == ("accepted", "rejected", "glia")
    press(reader, "p", "1")
    saved(reader)
    assert objects(api)[2]["class"] == "neuron"
    assert "#2 neuron" in reader.page.locator("#review-object-title").inner_text()
    reader.shoot("keys")


def test_undo_and_redo_by_keys(reader, api) -> None:
    press(reader, "n", "a")
    saved(reader)
    press(reader, "Control+z")
    saved(reader)
    assert objects(api)[1]["status"] == "undecided"
    assert "undecided" in reader.page.locator("#review-object").inner_text()
    press(reader, "Control+Shift+z")
    saved(reader)
    assert objects(api)[1]["status"] == "accepted"


def test_the_mouse_makes_moves_and_deletes(reader, api) -> None:
    mouse, keyboard = reader.page.mouse, reader.page.keyboard
    x, y = look_at(reader, [48.0, 60.0, 30.0])
    keyboard.down("Control")
    mouse.move(x + 40, y + 20)
    mouse.click(x + 40, y + 20)
    keyboard.up("Control")
    saved(reader)
    made = objects(api)[4]
    assert made["points"][0] == pytest.approx([48.0, 65.0, 40.0], abs=2.1)

    hover(reader, x + 40, y + 20, 4)
    keyboard.down("Alt")
    mouse.down()
    mouse.move(x + 20, y)
    mouse.move(x, y, steps=4)
    mouse.up()
    keyboard.up("Alt")
    saved(reader)
    reader.shoot("moved")
    moved = objects(api)[4]["points"][0]
    assert moved == pytest.approx([48.0, 60.0, 30.0], abs=2.1)

    hover(reader, x, y, 4)
    keyboard.down("Control")
    keyboard.down("Alt")
    mouse.click(x, y, button="right")
    keyboard.up("Alt")
    keyboard.up("Control")
    saved(reader)
    assert sorted(objects(api)) == [1, 2, 3]


def test_boxes_and_polygons_are_drawn(reader, api) -> None:
    mouse, keyboard, page = reader.page.mouse, reader.page.keyboard, reader.page
    x, y = look_at(reader, [48.0, 60.0, 30.0])

    def corners(*places: tuple[float, float]) -> None:
        keyboard.down("Control")
        for across, down in places:
            mouse.move(x + across, y + down)
            page.wait_for_timeout(300)
            mouse.click(x + across, y + down)
        keyboard.up("Control")

    page.locator("#review-shape").select_option("box")
    corners((0, 0), (40, 20))
    saved(reader)
    box = objects(api)[4]
    assert box["shape"] == "box"
    low, high = sorted(box["points"])
    assert low == pytest.approx([48.0, 60.0, 30.0], abs=2.1)
    assert high == pytest.approx([48.0, 65.0, 40.0], abs=2.1)
    page.locator("#review-shape").select_option("polygon")
    corners((-80, -40), (-40, -40), (-40, 0))
    keyboard.press("Enter")
    saved(reader)
    reader.shoot("shapes")
    polygon = objects(api)[5]
    assert polygon["shape"] == "polygon"
    assert polygon["points"][1] == pytest.approx([48.0, 50.0, 20.0], abs=2.1)


def test_the_layer_hides_the_list_opens_and_a_block_loads(reader) -> None:
    look_at(reader, CELLS[1])
    press(reader, "h")
    assert reader.client("viewer.layerManager.getLayerByName('review').visible") is False
    press(reader, "h", "t")
    assert reader.page.locator("#review-objects li").count() == 3
    press(reader, "l")
    reader.page.get_by_text("Loaded the block").wait_for()
    reader.page.evaluate(
        "() => { const { blocks } = gatewayReview; blocks.most = 0; blocks.forget();"
        " return blocks.loadView(); }"
    )
    reader.page.get_by_text("zoom in for all").wait_for()
    press(reader, "?")
    assert reader.page.locator("#help-dialog").is_visible()
    reader.shoot("help")


def sign_in(visit: Callable, server, person: str):
    ensure_person(server.gateway, person)
    grant(server.gateway, "cube", f"person:{person}", Role.ANNOTATOR)
    key = login_key(server.gateway, person)
    return visit(server.url, login=f"{server.url}/login?key={key}")


def test_two_people_on_one_layer_see_each_other(visit, server, api) -> None:
    ana, ben = sign_in(visit, server, "ana"), sign_in(visit, server, "ben")
    open_layer(ana)
    open_layer(ben)
    press(ana, "n", "a")
    press(ben, "n", "n", "2")
    saved(ana)
    saved(ben)
    for here in (ana, ben):
        here.page.wait_for_function(
            "() => { const all = gatewayReview.store.shown();"
            " return all.get(1).status === 'accepted' && all.get(2).class === 'glia'; }"
        )
    assert objects(api)[1]["status"] == "accepted"
    assert objects(api)[2]["class"] == "glia"
    assert not ana.troubles + ben.troubles


def test_a_conflict_is_shown_and_decided_by_its_person(reader, api) -> None:
    press(reader, "n")
    page = reader.page
    # the page does not hear of the other's change before it makes its own
    page.evaluate("gatewayReview.store.catchUp = () => Promise.resolve()")
    edit = {"op": "set", "id": 1, "class": "glia"}
    base = api.get(LAYER).json()["version"]
    api.post(f"{LAYER}/edits", json={"base": base, "edits": [edit]})
    press(reader, "1")
    page.get_by_text("changed #1 before your change").wait_for()
    assert objects(api)[1]["class"] == "glia"
    reader.shoot("conflict")
    page.evaluate("delete gatewayReview.store.catchUp")
    page.evaluate("gatewayReview.store.catchUp()")
    page.get_by_role("button", name="Use mine").click()
    saved(reader)
    assert objects(api)[1]["class"] == "neuron"
    assert page.locator("#review-troubles .notice").count() == 0


def test_edits_survive_a_lost_connection_and_a_reload(visit, server, api) -> None:
    here = visit(server.url, login=server.login)
    open_layer(here)
    # the requests are lost on their way; so is the answer to one that arrived
    here.context.route("**/api/layers/cube/cells/edits", lambda route: route.abort())
    press(here, "n", "a", "n", "r")
    here.page.get_by_text("unsent").wait_for()
    assert objects(api)[1]["status"] == "undecided"
    here.context.unroute("**/api/layers/cube/cells/edits")
    here.context.route(
        "**/api/layers/cube/cells/edits", lambda route: (route.fetch(), route.abort())
    )
    here.page.reload()
    here.page.wait_for_timeout(4000)
    here.context.unroute("**/api/layers/cube/cells/edits")
    open_layer(here)
    saved(here)
    after = objects(api)
    assert (after[1]["status"], after[2]["status"]) == ("accepted", "rejected")
    batches = api.get(f"{LAYER}/edits?since=1").json()["batches"]
    assert [batch["count"] for batch in batches] == [1, 1]
    assert here.page.evaluate("localStorage.length") == 0


def test_a_queue_steps_by_its_column_counts_and_times(reader, api) -> None:
    page = reader.page
    page.locator("#review-new summary").click()
    page.locator("#review-column").select_option("doubt")
    page.locator("#review-descending").check()
    page.get_by_role("button", name="Make queue").click()
    title = page.locator("#review-object-title")
    title.get_by_text("#3").wait_for()
    page.locator("#client").focus()
    press(reader, "a")
    title.get_by_text("#2").wait_for()
    press(reader, "2")
    title.get_by_text("#1").wait_for()
    press(reader, "x")
    page.get_by_text("2 of 3 decided, 1 skipped").wait_for()
    saved(reader)
    reader.shoot("queue")
    queue = api.get(f"{LAYER}/queues").json()["queues"][0]
    told = api.get(f"{LAYER}/queues/{queue['id']}").json()
    assert told["measured"]["mean_s"] > 0
    assert objects(api)[3]["status"] == "accepted"
    assert (objects(api)[2]["class"], objects(api)[1]["status"]) == ("glia", "undecided")


def test_who_may_only_look_changes_nothing(visit, server, api) -> None:
    ensure_person(server.gateway, "vic")
    grant(server.gateway, "cube", "person:vic", Role.VIEWER)
    key = login_key(server.gateway, "vic")
    vic = visit(server.url, login=f"{server.url}/login?key={key}")
    open_layer(vic)
    press(vic, "n", "a", "1")
    vic.page.wait_for_timeout(500)
    assert vic.page.get_by_role("button", name="Accept").count() == 0
    assert {each["status"] for each in objects(api).values()} == {"undecided"}
    assert not vic.troubles


def test_the_review_fits_a_phone(visit, server, api) -> None:
    del api
    here = visit(server.url, login=server.login, phone=True)
    open_layer(here)
    here.page.get_by_role("button", name="Next").click()
    here.page.get_by_role("button", name="Accept").click()
    saved(here)
    here.shoot("phone")
    assert here.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_layer_is_made_on_its_page_and_opened(visitor, server) -> None:
    page = visitor.go("/d/cube")
    page.get_by_role("link", name="Review", exact=True).click()
    page.get_by_label("Name").fill("nuclei")
    page.get_by_label("Classes").fill("neuron, glia")
    visitor.shoot("layers")
    page.get_by_role("button", name="Make layer").click()
    page.wait_for_url("**/d/cube/review/nuclei")
    page.wait_for_function("() => document.body.dataset.review === 'ready'")
    assert page.locator("#review-classes li").count() == 2
    with closing(server.browser()) as client:
        assert client.delete("/api/layers/cube/nuclei").status_code == 204
