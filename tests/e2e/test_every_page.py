"""Goal: every page is for everybody: both languages, both widths, both themes, and axe-core.

Method: a visitor, a client with something on every page and an operator open each page in a real
browser. A page must answer, stay inside the window, say nothing to the console, ask no other
origin, and keep nothing serious from somebody who cannot see or point.
"""

import os
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize

from tests.e2e.accessible import barriers
from tests.e2e.browsing import Visit, pictures_folder
from tests.e2e.cast import Cast
from tests.e2e.environment import PLAIN
from tests.e2e.live import LiveService
from tests.e2e.people import PASSWORD

pytestmark = pytest.mark.browser

OPERATOR = ("demo-admin", PLAIN["DEMO_ADMIN_PASSWORD"])
# Each language, width and theme; `make e2e` looks at all of them together.
LOOKS = [("en", 1440, "light"), ("ru", 360, "dark")]
if os.environ.get("LOOKS") == "all":
    LOOKS = list(product(("en", "ru"), (1440, 360), ("light", "dark")))
LANGUAGES = {"en": "English", "ru": "Русский"}

Address = Callable[[Cast], str]
VISITORS: dict[str, Address] = {
    "landing": lambda _: "/",
    "model": lambda _: "/models/random-forest",
    "sign in": lambda _: "/sign-in",
    "sign up": lambda _: "/sign-up",
    "forgotten password": lambda _: "/password",
}
CLIENTS: dict[str, Address] = {
    "dashboard": lambda _: "/dashboard",
    "model": lambda _: "/models/linear-regression",
    "choose a model": lambda _: "/predictions/new",
    "one row": lambda _: "/predictions/new?model=random-forest",
    "several rows": lambda _: "/predictions/new?model=random-forest&as=rows",
    "CSV": lambda _: "/predictions/new?model=random-forest&as=table",
    "history": lambda _: "/predictions",
    "narrowed history": lambda _: "/predictions?status=failed",
    "prediction": lambda cast: cast.prediction,
    "explained prediction": lambda cast: cast.explained,
    "wallet": lambda _: "/wallet",
    "top up": lambda _: "/wallet/top-up",
    "top-up": lambda cast: cast.top_up,
    "receipt": lambda cast: f"{cast.paid}/receipt",
    "statement": lambda cast: f"/wallet/statements/{cast.month}",
    "spending cap": lambda _: "/wallet/cap",
    "low balance": lambda _: "/wallet/low-balance",
    "again": lambda cast: f"{cast.prediction}/again",
    "profile": lambda _: "/profile",
    "password": lambda _: "/profile/password",
    "e-mail": lambda _: "/profile/email",
    "closing": lambda _: "/profile/close",
}
OPERATORS: dict[str, Address] = {
    "admin home": lambda _: "/admin/",
    "admin predictions": lambda _: "/admin/predictions/prediction/",
    "admin versions": lambda _: "/admin/ml_models/modelversion/",
    "top-ups to decide": lambda _: "/admin/billing/topup/?status__exact=pending",
    "queues": lambda _: "/admin/predictions/worker/",
}


@pytest.fixture(params=LOOKS, ids=lambda look: "-".join(map(str, look)))
def window(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    language, width, theme = request.param
    context = browser.new_context(
        locale=language, viewport=ViewportSize(width=width, height=900), color_scheme=theme
    )
    yield context
    context.close()


@pytest.fixture
def visit(
    window: BrowserContext,
    live_service: LiveService,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Visit:
    pictures = pictures_folder(tmp_path) / request.node.name
    return Visit(window.new_page(), base_url=live_service.base_url, pictures=pictures)


def language_of(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["window"][0])


def sign_in(visit: Visit, username: str, password: str, language: str) -> None:
    visit.open("/sign-in")
    visit.page.locator("[name=username]").fill(username)
    visit.page.locator("[name=password]").fill(password)
    visit.page.locator("main form button").first.click()
    visit.page.wait_for_url("**/dashboard")
    # A person's own language goes before the browser's.
    visit.page.get_by_role("button", name=LANGUAGES[language], exact=True).click()
    visit.page.wait_for_load_state("load")


def look_at(visit: Visit, pages: dict[str, Address], cast: Cast, language: str) -> list[str]:
    """Open each page, look at what came of the live parts, and return everything that is wrong."""
    wrong = []
    for name, address in pages.items():
        visit.open(address(cast))
        if visit.page.locator("#quote").count():
            # What it says beside the inputs comes by itself.
            visit.page.wait_for_load_state("networkidle")
        visit.look(name)
        wrong += [f"{name}: {barrier}" for barrier in barriers(visit.page)]
        if visit.page.locator("html").get_attribute("lang") != language:
            wrong.append(f"{name}: not in {language}")
    return wrong + visit.troubles


def test_what_a_visitor_sees(visit: Visit, cast: Cast, request: Any) -> None:
    assert look_at(visit, VISITORS, cast, language_of(request)) == []


def test_what_a_client_sees(visit: Visit, cast: Cast, request: Any) -> None:
    language = language_of(request)
    sign_in(visit, cast.client, PASSWORD, language)

    assert look_at(visit, CLIENTS, cast, language) == []


def test_what_an_operator_sees(visit: Visit, cast: Cast, request: Any) -> None:
    language = language_of(request)
    sign_in(visit, *OPERATOR, language)

    assert look_at(visit, OPERATORS, cast, language) == []
