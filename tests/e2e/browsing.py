"""The only place that drives a browser, and that notes what a visitor should never meet."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    sync_playwright,
)

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PATIENCE_MILLISECONDS = 20_000
SCROLLS_SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Visit:
    """One visitor's window: a page, its troubles, pictures of where it has been, things done.

    A thing done is a click or a filled field.
    """

    def __init__(self, page: Page, *, base_url: str, pictures: Path) -> None:
        self.page = page
        self.base_url = base_url
        self.pictures = pictures
        self.troubles: list[str] = []
        self.taken = 0
        self.done = 0
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.troubles.append(f"script error: {error}"))
        page.on("request", self._note_request)
        page.on("response", self._note_response)
        page.on("requestfailed", self._note_failure)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.base_url}{path}")

    def press(self, name: str) -> None:
        """Press the first button of this name in the page's content."""
        self.done += 1
        self._content().get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name: str) -> None:
        """Follow the first link of this name in the page's content."""
        self.done += 1
        self._content().get_by_role("link", name=name, exact=True).first.click()

    def fill(self, label: str, text: str) -> None:
        self.done += 1
        self._content().get_by_label(label, exact=True).fill(text)

    def _content(self) -> Locator:
        return self.page.locator("main")

    def reach(self, path: str, heading: str) -> None:
        """Arrive at an address (a pattern) whose page says what it is; take its picture."""
        self.page.wait_for_url(re.compile(f"{re.escape(self.base_url)}{path}$"))
        self.page.get_by_role("heading", name=heading, exact=True, level=1).wait_for()
        self.take_picture()

    def take_picture(self, name: str = "") -> None:
        self.taken += 1
        self.pictures.mkdir(parents=True, exist_ok=True)
        file = f"{self.taken:02} {name}".strip().replace(" ", "-")
        self.page.screenshot(path=self.pictures / f"{file}.png", full_page=True)
        self._measure()

    def look(self, name: str) -> None:
        """Measure the page; take its picture only where pictures are wanted, for it takes time."""
        if "SCREENSHOTS_DIR" in os.environ:
            self.take_picture(name)
        else:
            self._measure()

    def _measure(self) -> None:
        if self.page.evaluate(SCROLLS_SIDEWAYS):
            self.troubles.append(f"{self.page.url} is wider than the window")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(f"console {message.type}: {message.text}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.base_url}/", "data:")):
            self.troubles.append(f"left the origin: {request.url}")

    def _note_failure(self, request: Request) -> None:
        # Going on before an answer ends the question; a file is no page, which looks the same.
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"request failed: {request.url} {request.failure}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.status} from {response.url}")


@contextmanager
def installed_browser() -> Iterator[Browser]:
    """Start the browser; where it is not installed, skip and say so, and fail in CI."""
    if not CHROMIUM.exists():
        missing = f"{CHROMIUM} is missing: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with chromium() as started:
        yield started


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def pictures_folder(otherwise: Path) -> Path:
    """Return where SCREENSHOTS_DIR wants the pictures kept, else a folder of the run."""
    return Path(os.environ.get("SCREENSHOTS_DIR") or otherwise)
