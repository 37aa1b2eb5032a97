"""A tool from its form to the end, an ingest, and an upload that goes on, in a real browser."""

import numpy as np
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
_LONG_MS = 120_000


def wide_of(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")


def test_a_tool_runs_from_its_form_to_the_end(visitor):
    page = visitor.go("/tools")
    page.get_by_role("link", name="Smooth gaussian").click()
    page.get_by_label("Image").first.fill("cube/raw")
    page.get_by_label("Image").first.blur()
    output = page.locator('[name="out.image"]')
    expect(output).to_have_value("cube/smooth_gaussian-image")
    output.fill("cube/soft")
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator(".plan-time")).to_contain_text("about", timeout=_LONG_MS)
    assert page.evaluate("window.same"), "the plan came without leaving the page"
    visitor.shoot("plan")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/j*")
    expect(page.locator("#live .badge").first).to_have_text("done", timeout=_LONG_MS)
    expect(page.locator("#live progress").first).to_have_attribute("value", "1")
    expect(page.get_by_role("link", name="cube/soft")).to_be_visible()
    visitor.shoot("done")
    page.get_by_role("link", name="Run again with changes").click()
    expect(page.locator('[name="in.image"]')).to_have_value("cube/raw")
    expect(page.locator('[name="out.image"]')).to_have_value("cube/soft")


def test_a_wrong_value_is_told_beside_its_field(visit, server):
    visitor = visit(server.url, login=server.login)
    page = visitor.go("/tools/smooth_gaussian?in.image=cube/raw")
    page.locator('[name="set.sigma_um"]').fill("1000")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator('[id="set.sigma_um-error"]')).to_contain_text("less than or equal to 100")
    assert page.evaluate("document.activeElement.name") == "set.sigma_um"
    expect(page.locator('[name="set.sigma_um"]')).to_have_value("1000")


def test_an_upload_goes_on_after_a_reload_and_is_ingested(visit, server, tmp_path):
    visitor = visit(server.url, login=server.login)
    path = tmp_path / "mine.npy"
    np.save(path, np.random.default_rng(1).integers(0, 999, (80, 256, 512)).astype(np.uint16))
    page = visitor.go("/ingest")
    sent = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "PUT" else None)
    # the second piece gets lost with the page, as when a laptop is closed
    page.route("**/api/uploads/*offset=8388608", lambda _route: None, times=1)
    with page.expect_request("**/api/uploads/*offset=8388608"):
        page.set_input_files("#files", path)
    page.reload()
    expect(page.locator("#uploads li")).to_contain_text("40 % has arrived")
    sent.clear()
    page.set_input_files("#files", path)
    expect(page.get_by_role("link", name="Look at it")).to_be_visible(timeout=_LONG_MS)
    assert [url.rpartition("=")[2] for url in sent] == ["8388608", "16777216"], "only the rest"
    page.get_by_role("link", name="Look at it").click()
    expect(page.locator("dl.facts").first).to_contain_text("80")
    page.get_by_role("button", name="Ingest", exact=True).click()
    expect(page.locator(".error")).to_contain_text("how large their voxels are")
    page.locator("#voxel_um").fill("2,1,1")
    page.get_by_role("button", name="Ingest", exact=True).click()
    page.wait_for_url("**/runs/j*")
    expect(page.locator("#live .badge").first).to_have_text("done", timeout=_LONG_MS)
    visitor.shoot("ingested")


@pytest.mark.parametrize("path", ["/tools", "/tools/detect_nuclei", "/runs", "/ingest", "/monitor"])
def test_pages_fit_a_phone(visit, server, path):
    visitor = visit(server.url, login=server.login, phone=True, color_scheme="dark")
    page = visitor.go(path)
    expect(page.locator("h1")).to_be_visible()
    visitor.shoot("phone")
    assert not wide_of(page)
    assert visitor.troubles == []
