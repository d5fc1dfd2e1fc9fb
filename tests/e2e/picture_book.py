"""The screenshots of the README, all made by one command: `make screenshots`."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.e2e.browsing import Visit
from tests.e2e.cast import assemble
from tests.e2e.environment import PLAIN
from tests.e2e.live import CHECKOUT, LiveService
from tests.e2e.people import PASSWORD

# Nobody opens the cast's letters.
CONFIRM = """
from django.utils.timezone import now
from accounts.models import User
User.objects.update(email_confirmed_at=now())
"""
FOLDER = CHECKOUT / "docs" / "screenshots"
DESK = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=360, height=760)


def sign_in(page: Page, base_url: str, username: str, password: str) -> None:
    page.goto(f"{base_url}/sign-in")
    page.locator("[name=username]").fill(username)
    page.locator("[name=password]").fill(password)
    page.locator("main form button").first.click()
    page.wait_for_url("**/dashboard")


def predict_and_explain(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/models/random-forest")
    page.locator("[name=column-carat]").fill("1.5")
    page.locator("[name=explain]").check()
    page.locator(".playground__send").click()
    expect(page.locator("#outcome data")).to_have_text(re.compile(r"\d"))
    page.locator("#try-title").evaluate("title => title.scrollIntoView()")


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png")


def test_the_picture_book(browser: Browser, live_service: LiveService, tmp_path: Path) -> None:
    cast, root = assemble(live_service), live_service.base_url
    live_service.manage("shell", "-c", CONFIRM)
    desk = browser.new_context(locale="en", viewport=DESK, color_scheme="light").new_page()
    phone = browser.new_context(locale="ru", viewport=PHONE, color_scheme="dark").new_page()
    visits = [Visit(page, base_url=root, pictures=tmp_path) for page in (desk, phone)]
    FOLDER.mkdir(exist_ok=True)

    desk.goto(f"{root}/")
    take(desk, "landing")
    sign_in(desk, root, cast.client, PASSWORD)
    predict_and_explain(desk, root)
    take(desk, "playground")
    for name, path in [
        ("dashboard", "/dashboard"),
        ("history", "/predictions"),
        ("wallet", "/wallet"),
    ]:
        desk.goto(f"{root}{path}")
        take(desk, name)
    desk.locator("form[action='/sign-out'] button").click()
    sign_in(desk, root, "demo-admin", PLAIN["DEMO_ADMIN_PASSWORD"])
    desk.goto(f"{root}/admin/")
    take(desk, "admin")
    phone.goto(f"{root}/models/random-forest")
    take(phone, "phone-dark-russian")

    assert [trouble for visit in visits for trouble in visit.troubles] == []
