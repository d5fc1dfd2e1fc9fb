"""Two lines a request: by whom it was, and how it ended, on pages and over the API."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient
from structlog.contextvars import bound_contextvars, get_contextvars

from accounts.models import User
from billing.api import views

ApiOf = Callable[[User], APIClient]
PageOf = Callable[[User], Client]


class Log:
    """The lines that this process has written."""

    def __init__(self, written: StringIO) -> None:
        self.written = written

    def lines(self, *events: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.written.getvalue().splitlines()]
        return [line for line in lines if line["event"] in events]

    def of_the_request(self) -> tuple[dict[str, Any], dict[str, Any]]:
        started, finished = self.lines("request_started", "request_finished", "request_failed")
        assert started["event"] == "request_started"
        assert started["request_id"] == finished["request_id"] != ""
        assert started["request"] == finished["request"]
        assert started["ip"] == finished["ip"] == "127.0.0.1"
        return started, finished


@pytest.fixture
def log(lines: StringIO) -> Iterator[Log]:
    yield Log(lines)
    assert get_contextvars() == {}


def told(line: dict[str, Any]) -> tuple[Any, ...]:
    return line["event"], line["code"], line["user_id"], line["level"]


def test_a_request_of_the_api_is_logged_with_its_user(api: ApiOf, alice: User, log: Log) -> None:
    api(alice).get("/api/v1/wallet?x=1", headers={"User-Agent": "of-the-test"})

    started, finished = log.of_the_request()
    assert started["request"] == "GET /api/v1/wallet?x=1"
    assert started["user_agent"] == "of-the-test"
    assert told(finished) == ("request_finished", 200, alice.pk, "info")


@pytest.mark.parametrize(("path", "status"), [("/api/v1/wallet", 401), ("/api/v1/nothing", 404)])
def test_nobodys_request_of_the_api_is_logged_as_nobodys(
    client: Client, db: None, log: Log, path: str, status: int
) -> None:
    client.get(path)

    _, finished = log.of_the_request()
    assert told(finished) == ("request_finished", status, None, "warning")


def test_for_a_line_about_the_api_no_session_is_read(
    page: PageOf, alice: User, log: Log, django_assert_num_queries: Any
) -> None:
    browser = page(alice)
    with django_assert_num_queries(0):
        browser.get("/api/v1/wallet")

    _, finished = log.of_the_request()
    assert told(finished) == ("request_finished", 401, None, "warning")


def test_what_fails_is_logged_with_its_user_and_where(
    api: ApiOf, alice: User, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(user_id: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(views, "wallet_of", fail)
    client = api(alice)
    client.raise_request_exception = False

    assert client.get("/api/v1/wallet").status_code == 500

    _, failed = log.of_the_request()
    assert told(failed) == ("request_failed", 500, alice.pk, "error")
    assert "ZeroDivisionError" in failed["exception"]


def test_a_page_is_logged_with_who_is_signed_in(page: PageOf, alice: User, log: Log) -> None:
    page(alice).get("/profile")

    _, finished = log.of_the_request()
    assert told(finished) == ("request_finished", 200, alice.pk, "info")


def test_whom_the_thread_spoke_of_before_is_not_taken_for_who_asks(
    client: Client, db: None, log: Log
) -> None:
    with bound_contextvars(user_id=1):
        client.get("/api/v1/wallet")

    started, finished = log.of_the_request()
    assert (started["user_id"], finished["user_id"]) == (None, None)


def test_who_is_locked_out_is_logged_so_and_framed_by_nobody(
    client: Client, alice: User, log: Log, settings: Any
) -> None:
    settings.AXES_FAILURE_LIMIT = 1
    wrong = {"username": alice.username, "password": "wrong"}

    answer = client.post("/sign-in", wrong)

    _, finished = log.of_the_request()
    assert (answer.status_code, finished["code"], finished["level"]) == (429, 429, "warning")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Request-ID"] == finished["request_id"]
    assert int(answer["Content-Length"]) == len(answer.content)


def test_a_part_of_a_page_that_leads_to_the_sign_in_is_logged_as_it_is_answered(
    client: Client, db: None, log: Log
) -> None:
    parts = client.get("/wallet", headers={"HX-Request": "true"})

    assert "/sign-in" in parts["HX-Redirect"]
    finished = log.lines("request_finished")[-1]
    assert (parts.status_code, finished["code"]) == (200, 200)
    assert parts["X-Request-ID"] == finished["request_id"]
    assert parts["X-Frame-Options"] == "DENY"
