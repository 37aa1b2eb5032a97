"""The catalogue and a dataset in a real browser: typing, keys, phones, copying."""

import numpy as np
import pytest
from playwright.sync_api import expect

from gateway.records.recorder import record_entry
from gateway.records.rows import DatasetRecord
from gateway.service.descriptions import describe_dataset
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.points import write_points
from gateway.volumes.ref import parse_ref

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("filled")]


@pytest.fixture
def filled(server):
    """Fill the catalogue with thirty datasets, `m07` with a table in it."""
    gateway = server.gateway
    for number in range(30):
        info = {"title": f"Brain {number:02}", "stain": "NeuN" if number % 2 else "TH"}
        gateway.catalogue.put_dataset(DatasetRecord(name=f"m{number:02}", info=info))
    random = np.random.default_rng(3)
    z, y, x = random.normal(500, 100, (3, 3000))
    columns = {"z_um": z, "y_um": y, "x_um": x, "size": random.gamma(3, 2, 3000)}
    write_points(gateway.store, "m07/cells.points.parquet", columns)
    describe_dataset(gateway, "m07", DatasetInfo(title="Brain 07", stain="NeuN"))
    record_entry(gateway.store, gateway.catalogue, parse_ref("m07/cells"))


def test_typing_searches_and_keys_open_a_dataset(visitor):
    page = visitor.go("/")
    expect(page.locator("a.dataset")).to_have_count(24)
    page.keyboard.press("/")
    page.keyboard.type("brain 07", delay=20)
    expect(page.locator("#count")).to_have_text("1 dataset found")
    expect(page.locator("a.dataset")).to_have_count(1)
    assert page.url.endswith("?q=brain+07")
    assert page.evaluate("document.activeElement.id") == "q"
    picture = page.locator("a.dataset img")
    page.wait_for_function("() => document.querySelector('a.dataset img').naturalWidth > 0")
    assert picture.get_attribute("src").endswith("/m07/cells/thumbnail.png")
    visitor.shoot("catalogue")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Brain 07")
    page.go_back()
    expect(page.locator("a.dataset")).to_have_count(1)


def test_facets_narrow_without_a_new_page_and_chips_undo(visitor):
    page = visitor.go("/")
    page.evaluate("window.same = true")
    before = page.locator("#count").text_content()
    page.get_by_label("NeuN").check()
    expect(page.locator("#count")).to_have_text("15 datasets found")
    # the box that was ticked keeps the focus: a keyboard goes on from there
    assert page.evaluate("document.activeElement.value") == "NeuN"
    page.locator("a.chip", has_text="NeuN").click()
    expect(page.locator("#count")).to_have_text(before)
    assert page.evaluate("window.same")


def test_a_phone_shows_all_without_scrolling_sideways(server, visit):
    phone = visit(server.url, login=server.login, phone=True, color_scheme="dark")
    for path in ("/", "/d/m07", "/d/m07/entries/cells", "/d/m07/edit", "/d/m07/history"):
        page = phone.go(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, (path, wide)
        phone.shoot(f"phone{path.replace('/', '-')}")
    assert not phone.troubles


def test_the_description_is_changed_in_its_form_and_code_is_copied(visitor):
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.go("/d/m07")
    page.get_by_role("link", name="Edit description").click()
    page.get_by_label("Species").fill("Mus musculus")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dl.facts").first).to_contain_text("Mus musculus")
    page.get_by_role("link", name="all versions").click()
    page.get_by_role("button", name="Restore").first.click()
    expect(page.locator("h2").first).to_contain_text("Version 3")
    page = visitor.go("/d/m07/entries/cells")
    assert page.locator("svg.histogram").count() == 4
    page.locator("button[data-copy=python]").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith('.open("m07/cells")')
