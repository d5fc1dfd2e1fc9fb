"""A visitor becomes a client in a real browser, in both languages, on a desk and on a phone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.e2e.browsing import Visit, pictures_folder
from tests.e2e.live import LiveService
from tests.e2e.people import PASSWORD

pytestmark = pytest.mark.browser

WIDTHS = {"desk": 1440, "phone": 360}
CREDITS = 20
WORDS = {
    "en": {
        "landing": "Predictions from trained models, paid by the row",
        "open an account": "Open an account",
        "sign up": "Sign up",
        "user name": "User name",
        "e-mail": "E-mail",
        "password": "Password",
        "dashboard": "Dashboard",
        "top up": "Top up",
        "top up the wallet": "Top up the wallet",
        "credits": "Credits",
        "wallet": "Wallet",
        "paid": "Your credits are in the wallet.",
        "new prediction": "New prediction",
        "linear regression": "Linear Regression",
        "use it": "Use Linear Regression",
        "carat": "Carat, ct",
        "predict": "Predict",
        "cost": "1 credit",
        "its page": "Open its page",
        "predictions": "Predictions",
        "top-up": "Top-up",
        "receipt": "Receipt",
        "paid state": "paid",
        "warn me": "Warn me of a low balance",
        "low balance": "Low balance",
        "warn below": "Warn below, credits",
        "save": "Save",
        "runs low": "Credits run low",
        "got it": "Got it",
    },
    "ru": {
        "landing": "Прогнозы обученных моделей с оплатой за строку",
        "open an account": "Создать учётную запись",
        "sign up": "Регистрация",
        "user name": "Имя пользователя",
        "e-mail": "Эл. почта",
        "password": "Пароль",
        "dashboard": "Обзор",
        "top up": "Пополнить",
        "top up the wallet": "Пополнить кошелёк",
        "credits": "Кредиты",
        "wallet": "Кошелёк",
        "paid": "Кредиты зачислены на кошелёк.",
        "new prediction": "Новый прогноз",
        "linear regression": "Линейная регрессия",
        "use it": "Выбрать: Линейная регрессия",
        "carat": "Караты, ct",
        "predict": "Получить прогноз",
        "cost": "1 кредит",
        "its page": "Открыть страницу прогноза",
        "predictions": "Прогнозы",
        "top-up": "Пополнение",
        "receipt": "Квитанция",
        "paid state": "оплачено",
        "warn me": "Предупредить о низком балансе",
        "low balance": "Низкий баланс",
        "warn below": "Предупредить, если меньше, кредитов",
        "save": "Сохранить",
        "runs low": "Кредиты на исходе",
        "got it": "Понятно",
    },
}

Visitor = Callable[[str, str], Visit]


@pytest.fixture
def visitor(
    browser: Browser,
    live_service: LiveService,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Visitor]:
    """Open a window of its own for a language and a width; it must meet no trouble."""
    visits: list[Visit] = []

    def open_window(language: str, width: str) -> Visit:
        window = ViewportSize(width=WIDTHS[width], height=900)
        context = browser.new_context(locale=language, viewport=window)
        pictures = pictures_folder(tmp_path) / request.node.name
        visit = Visit(context.new_page(), base_url=live_service.base_url, pictures=pictures)
        visits.append(visit)
        return visit

    yield open_window
    for visit in visits:
        visit.page.context.close()
    assert [trouble for visit in visits for trouble in visit.troubles] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", WORDS)
def test_a_visitor_signs_up_tops_up_and_predicts(
    visitor: Visitor, language: str, width: str
) -> None:
    visit, words = visitor(language, width), WORDS[language]

    sign_up(visit, words)
    top_up(visit, words)
    send_one_row(visit, words)
    read_the_result(visit, words)
    open_its_page(visit, words)

    expect(visit.page.locator("data.figure-card__value")).to_have_text(re.compile(r"\d"))
    expect(visit.page.locator("dl.facts")).to_contain_text(words["cost"])
    visit.open("/wallet")
    visit.reach("/wallet", words["wallet"])
    amounts = visit.page.locator("[aria-labelledby=entries] td.money")
    expect(amounts).to_have_text(["-1", f"+{CREDITS}"])
    expect(visit.page.locator(".figures .figure-card__value").first).to_have_text(str(CREDITS - 1))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", WORDS)
def test_a_client_reads_a_receipt_and_is_warned_once(
    visitor: Visitor, live_service: LiveService, language: str, width: str
) -> None:
    visit, words = visitor(language, width), WORDS[language]
    sign_up(visit, words)
    top_up(visit, words)

    visit.open("/wallet")
    visit.follow(words["paid state"])
    visit.reach("/wallet/top-ups/[0-9a-f-]{36}", words["top-up"])
    visit.follow(words["receipt"])
    expect(visit.page.get_by_role("heading", level=1)).to_contain_text(words["receipt"])
    visit.take_picture()
    visit.page.emulate_media(media="print")
    expect(visit.page.locator(".site-header")).to_be_hidden()
    visit.take_picture()
    visit.page.emulate_media(media="screen")

    warn_below(visit, words, credits=CREDITS + 1)
    live_service.manage(
        "shell", "-c", "from billing.low_balance import look_at_balances; look_at_balances()"
    )
    visit.open("/dashboard")
    expect(visit.page.get_by_text(words["runs low"])).to_be_visible()
    visit.take_picture()
    # By keyboard alone.
    visit.page.get_by_role("button", name=words["got it"]).focus()
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_text(words["runs low"])).to_have_count(0)
    visit.reach("/dashboard", words["dashboard"])


def test_a_visitor_changes_the_language_and_it_stays(visitor: Visitor) -> None:
    visit = visitor("en", "desk")
    visit.open("/")
    visit.reach("/", WORDS["en"]["landing"])

    visit.page.get_by_role("button", name="Русский").click()
    visit.reach("/", WORDS["ru"]["landing"])
    visit.open("/sign-up")

    visit.reach("/sign-up", WORDS["ru"]["sign up"])
    assert visit.page.locator("html").get_attribute("lang") == "ru"


def test_a_prediction_page_follows_the_work_by_itself(
    visitor: Visitor, live_service: LiveService
) -> None:
    visit, words = visitor("en", "phone"), WORDS["en"]
    sign_up(visit, words)
    top_up(visit, words)
    live_service.freeze("worker")

    try:
        send_one_row(visit, words)
        open_its_page(visit, words)
        status = visit.page.locator("header .badge")
        expect(status).to_have_text("starting")
        expect(visit.page.locator("#progress [aria-current=step]")).to_have_text("In the queue")
        expect(visit.page.locator("#progress")).to_contain_text("2 s so far")
        visit.page.reload()
        expect(status).to_have_text("starting")
        heading = visit.page.locator("#rows-title")
        stood_at = heading.bounding_box()
    finally:
        live_service.thaw("worker")

    expect(status).to_have_text("succeeded", timeout=30_000)
    assert heading.bounding_box() == stood_at
    visit.take_picture()
    visit.follow("Predictions")
    visit.reach("/predictions", words["predictions"])
    visit.page.go_back()
    expect(status).to_have_text("succeeded")


def test_a_message_lies_above_the_page_until_it_is_closed(visitor: Visitor) -> None:
    visit, words = visitor("en", "phone"), WORDS["en"]
    sign_up(visit, words)
    top_up(visit, words)
    heading = visit.page.get_by_role("heading", level=1)
    stood_at = heading.bounding_box()

    # By keyboard alone.
    visit.page.get_by_role("button", name="Close").focus()
    visit.page.keyboard.press("Enter")

    expect(visit.page.get_by_role("status")).to_have_count(0)
    assert heading.bounding_box() == stood_at
    visit.page.wait_for_url("**/predictions/new")


def test_a_visitor_chooses_the_colours_whatever_the_system_says(visitor: Visitor) -> None:
    visit = visitor("en", "phone")
    visit.page.emulate_media(color_scheme="dark")
    visit.open("/")
    grounds = [ground(visit)]

    for name in ("Light", "Dark", "As the system"):
        visit.page.get_by_role("button", name=name, exact=True).click()
        chosen = visit.page.get_by_role("button", name=name, exact=True)
        expect(chosen).to_have_attribute("aria-current", "true")
        grounds.append(ground(visit))
        visit.take_picture()

    by_system, light, dark, again = grounds
    assert by_system == dark == again != light


def test_a_page_that_is_not_there_leads_on(visitor: Visitor) -> None:
    for language, width, heading in (
        ("en", "desk", "There is no such page"),
        ("ru", "phone", "Такой страницы нет"),
    ):
        visit = visitor(language, width)
        visit.open("/nothing/here")
        visit.reach("/nothing/here", heading)
        # What was looked for is the one trouble of this visit.
        visit.troubles = [trouble for trouble in visit.troubles if "404" not in trouble]


def ground(visit: Visit) -> str:
    """Give the colour that a page really stands on."""
    return str(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def sign_up(visit: Visit, words: dict[str, str]) -> None:
    name = f"visitor-{uuid4().hex[:12]}"
    visit.open("/")
    visit.reach("/", words["landing"])
    visit.follow(words["open an account"])
    visit.reach("/sign-up", words["sign up"])
    visit.fill(words["user name"], name)
    visit.fill(words["e-mail"], f"{name}@example.com")
    visit.fill(words["password"], PASSWORD)
    visit.press(words["open an account"])
    visit.reach(r"/wallet/top-up\?next=%2Fpredictions%2Fnew", words["top up the wallet"])


def top_up(visit: Visit, words: dict[str, str]) -> None:
    visit.fill(words["credits"], str(CREDITS))
    visit.press(words["top up"])
    visit.reach("/predictions/new", words["new prediction"])
    expect(visit.page.get_by_role("status")).to_have_text(words["paid"])


def warn_below(visit: Visit, words: dict[str, str], *, credits: int) -> None:
    visit.open("/wallet")
    visit.follow(words["warn me"])
    visit.reach("/wallet/low-balance", words["low balance"])
    visit.fill(words["warn below"], str(credits))
    visit.press(words["save"])
    visit.reach("/wallet", words["wallet"])


def send_one_row(visit: Visit, words: dict[str, str]) -> None:
    visit.open("/dashboard")
    visit.follow(words["new prediction"])
    visit.reach("/predictions/new", words["new prediction"])
    visit.follow(words["use it"])
    visit.reach(r"/predictions/new\?model=linear-regression", words["linear regression"])
    visit.fill(words["carat"], "0.9")
    visit.press(words["predict"])


def read_the_result(visit: Visit, words: dict[str, str]) -> None:
    outcome = visit.page.locator("#outcome")
    expect(outcome.locator("data.figure-card__value")).to_have_text(re.compile(r"\d"))
    expect(outcome).to_contain_text(words["cost"])
    visit.take_picture()


def open_its_page(visit: Visit, words: dict[str, str]) -> None:
    visit.follow(words["its page"])
    visit.reach("/predictions/[0-9a-f-]{36}", words["linear regression"])
