"""People are let in, a dataset is shared and a link revoked, all by the pages, in real browsers."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GOOD = "correct horse battery"


def test_somebody_is_added_let_in_and_given_a_role(visitor, visit, server) -> None:
    page = visitor.go("/people")
    page.get_by_label("Name", exact=True).fill("ana")
    page.get_by_label("Shown as").fill("Ana Lyst")
    page.get_by_role("button", name="Add").click()
    url = page.locator("#url").text_content().strip()
    visitor.shoot("added")

    ana = visit(server.url)
    ana.page.goto(url)
    assert "once=" not in ana.page.url  # the key is out of the address before anything is shown
    ana.shoot("welcome")
    ana.page.get_by_role("button", name="Sign in as ana").click()
    ana.page.get_by_label("New password").fill(GOOD)
    ana.page.get_by_label("Once more").fill(GOOD)
    ana.page.get_by_role("button", name="Set the password").click()
    expect(ana.page.get_by_role("status")).to_contain_text("The password is changed.")
    ana.page.get_by_label("For", exact=True).fill("notebook")
    ana.page.get_by_role("button", name="Make a token").click()
    assert len(ana.page.locator("#token").text_content()) > 40
    expect(ana.page.get_by_role("cell", name="Chrome on Linux")).to_be_visible()
    ana.shoot("account")
    ana.page.get_by_role("button", name="End the token notebook").click()
    expect(ana.page.get_by_text("You have no tokens.")).to_be_visible()
    ana.page.get_by_role("button", name="Sign out", exact=True).first.click()

    page = visitor.go("/d/cube/share")
    page.get_by_label("Give", exact=True).select_option("person:ana")
    page.get_by_label("the role").select_option("editor")
    page.get_by_role("button", name="Give").click()
    expect(page.get_by_label("Role of person:ana", exact=True)).to_have_value("editor")
    visitor.shoot("shared")

    ana.go("/login?next=/d/cube")
    ana.page.get_by_label("Name").fill("ana")
    ana.page.get_by_label("Password").fill("wrong")
    ana.page.keyboard.press("Enter")
    expect(ana.page.get_by_role("alert")).to_contain_text("the name or the password is wrong")
    ana.shoot("wrong")
    ana.page.get_by_label("Password").fill(GOOD)
    ana.page.keyboard.press("Enter")
    ana.page.wait_for_url(f"{server.url}/d/cube")


def test_a_link_opens_on_a_phone_until_it_is_revoked(visitor, visit) -> None:
    page = visitor.go("/d/cube/share")
    page.get_by_label("Open").select_option("raw")
    page.get_by_label("Note").fill("for Bo")
    page.get_by_role("button", name="Make a link").click()
    url = page.locator("#url").text_content().strip()
    visitor.shoot("link")

    phone = visit(visitor.url, phone=True)
    phone.page.goto(url)
    expect(phone.page.get_by_text("Shared with you")).to_be_visible()
    assert "/d/cube" in phone.page.url
    phone.shoot("phone")

    page.get_by_role("button", name="Revoke the link for Bo").click()
    expect(page.get_by_text("revoked", exact=True)).to_be_visible()
    phone.page.reload()
    expect(phone.page.get_by_role("heading", name="Forbidden")).to_be_visible()
    phone.shoot("revoked")

    page = visitor.go("/d/cube/share/log")
    expect(page.get_by_role("cell", name="link revoked")).to_be_visible()
    visitor.shoot("log")
