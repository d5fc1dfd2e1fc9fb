"""What clients do with their accounts and operators with what waits, in a real browser."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import psycopg2
import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.e2e.browsing import Visit, pictures_folder
from tests.e2e.cast import Cast, finished
from tests.e2e.environment import PLAIN
from tests.e2e.live import LiveService
from tests.e2e.people import PASSWORD, Person

pytestmark = pytest.mark.browser

NEW_PASSWORD = "another long and private phrase"
LINK = re.compile(r"http://\S+/(?:confirm|password)/\S+")

Window = Callable[..., Visit]


@pytest.fixture
def person(live_service: LiveService) -> Person:
    return Person(live_service.base_url, credits=50)


@pytest.fixture
def window(
    browser: Browser, live_service: LiveService, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Window]:
    visits: list[Visit] = []

    def opened(width: int = 360) -> Visit:
        context = browser.new_context(locale="en", viewport=ViewportSize(width=width, height=800))
        pictures = pictures_folder(tmp_path) / request.node.name
        visit = Visit(context.new_page(), base_url=live_service.base_url, pictures=pictures)
        visits.append(visit)
        return visit

    yield opened
    for visit in visits:
        visit.page.context.close()
    assert [trouble for visit in visits for trouble in visit.troubles] == []


def sign_in(visit: Visit, username: str, password: str = PASSWORD) -> None:
    visit.open("/sign-in")
    visit.fill("User name", username)
    visit.fill("Password", password)
    visit.press("Sign in")
    visit.page.wait_for_url("**/dashboard")
    # Who signed in before may have left another language.
    visit.page.get_by_role("button", name="English", exact=True).click()
    visit.page.wait_for_load_state("load")


def letter_to(service: LiveService, person: Person, subject: str) -> str:
    """Return the text of the newest letter of this subject that waits or went out."""
    found: list[str] = []

    def has_come() -> bool:
        with psycopg2.connect(service.env["DATABASE_URL"]) as database, database.cursor() as cursor:
            cursor.execute(
                "SELECT body FROM mail_letter WHERE recipient = %s AND subject = %s"
                " ORDER BY id DESC LIMIT 1",
                [f"{person.username}@example.com", subject],
            )
            found[:] = [text for (text,) in cursor.fetchall()]
        return bool(found)

    service.wait_until(has_come, f"a letter {subject!r}")
    return found[0]


def path_of_the_link(letter: str) -> str:
    link = LINK.search(letter)
    assert link is not None, letter
    return urlsplit(link[0]).path


def test_an_address_is_confirmed_by_its_letter(
    window: Window, live_service: LiveService, person: Person
) -> None:
    visit = window()
    sign_in(visit, person.username)
    expect(visit.page.get_by_text("Please confirm your e-mail")).to_be_visible()

    visit.open(path_of_the_link(letter_to(live_service, person, "Confirm your e-mail")))
    visit.press("Confirm")
    visit.open("/dashboard")

    expect(visit.page.get_by_text("Please confirm your e-mail")).to_have_count(0)


def test_a_forgotten_password_is_set_anew(
    window: Window, live_service: LiveService, person: Person
) -> None:
    visit = window()
    visit.open("/sign-in")
    visit.follow("Forgotten your password?")
    visit.fill("E-mail", f"{person.username}@example.com")
    visit.press("Send the link")

    visit.open(path_of_the_link(letter_to(live_service, person, "Set a new password")))
    visit.fill("New password", NEW_PASSWORD)
    visit.press("Set the password")

    sign_in(visit, person.username, NEW_PASSWORD)


def test_signing_out_everywhere_reaches_the_other_browser(window: Window, person: Person) -> None:
    here, there = window(), window()
    sign_in(here, person.username)
    sign_in(there, person.username)

    here.open("/profile")
    here.press("Sign out everywhere")
    there.open("/dashboard")

    expect(there.page).to_have_url(re.compile(r"/sign-in\?next=/dashboard"))
    assert person.session.get(f"{person.root}/me", timeout=60).status_code == 401


def test_one_takes_ones_data_along_and_closes_the_account(window: Window, person: Person) -> None:
    visit = window()
    sign_in(visit, person.username)
    visit.open("/profile")
    with visit.page.expect_download() as download:
        visit.press("Download")
    with ZipFile(download.value.path()) as data:
        profile = next(name for name in data.namelist() if name.startswith("profile"))
        assert json.loads(data.read(profile).splitlines()[0])["username"] == person.username

    visit.follow("Close the account")
    visit.page.get_by_role("checkbox").check()
    visit.fill("Your current password", PASSWORD)
    visit.press("Close the account for good")
    visit.page.wait_for_url(re.compile(r"/$"))
    visit.open("/sign-in")
    visit.fill("User name", person.username)
    visit.fill("Password", PASSWORD)
    visit.press("Sign in")

    expect(visit.page.get_by_role("alert")).to_be_visible()


def test_the_history_is_narrowed_and_a_prediction_is_asked_for_again(
    window: Window, live_service: LiveService, person: Person
) -> None:
    for slug, explain in (("random-forest", True), ("linear-regression", False)):
        model = person.get(f"models/{slug}")
        finished(live_service, person, model, [model["example"]], explain=explain)
    visit = window()
    sign_in(visit, person.username)
    visit.open("/predictions")
    expect(visit.page.locator("tbody tr")).to_have_count(2)
    visit.page.get_by_label("Model", exact=True).select_option(label="Random Forest")
    visit.press("Show")
    expect(visit.page.locator("tbody tr")).to_have_count(1)

    visit.follow("Again")
    expect(visit.page.locator("[name=explain]")).to_be_checked()
    visit.press("Predict")

    expect(visit.page.locator("#outcome")).to_contain_text("It cost 10 credits.")


def test_an_operator_approves_what_waits(window: Window, cast: Cast, person: Person) -> None:
    waiting = person.post("wallet/top-ups", {"amount": 40, "provider": "manual"})
    desk = window(1440)
    sign_in(desk, "demo-admin", PLAIN["DEMO_ADMIN_PASSWORD"])
    desk.open(f"/admin/billing/topup/?status__exact=pending&q={person.username}")

    desk.page.locator("[name=_selected_action]").first.check()
    desk.page.locator("select[name=action]").select_option("approve")
    desk.page.locator("[name=index]").click()
    desk.page.locator("[name=note]").fill("The transfer has come.")
    desk.page.get_by_role("button", name="Approve: credit the wallet").click()
    desk.page.wait_for_load_state("load")

    assert person.get(f"wallet/top-ups/{waiting['id']}")["status"] == "paid"
    assert person.get("wallet")["balance"] == 90
