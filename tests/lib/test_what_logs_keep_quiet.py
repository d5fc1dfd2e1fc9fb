"""Links in letters are as good as a password: none of the logs may hold one."""

import logging
import re
from io import StringIO
from pathlib import Path

import pytest
import structlog
from django.conf import settings
from django.db import IntegrityError
from django.test import Client

from accounts.models import User
from mlservice.lib.logging import TALKATIVE, asked_by, hide_mailed_links, without_words
from tests.accounts.links import link_in_letter
from tests.test_guards import named_paths

ROOT = Path(__file__).resolve().parents[2]


def test_the_request_log_holds_no_link_to_set_a_password(
    client: Client, alice: User, lines: StringIO
) -> None:
    client.post("/password", {"email": alice.email})
    link = link_in_letter("reset_password", alice.email)
    token = link.rsplit("/", 1)[1]

    shown = client.get(link)
    client.post(link, {"password": "another long and private phrase"})
    # Django itself warns of what is gone, and of a form without its cookie.
    gone = client.get(link)
    forged = Client(enforce_csrf_checks=True).post(link, {})

    assert (shown.status_code, gone.status_code, forged.status_code) == (200, 410, 403)
    assert token not in lines.getvalue()
    logged = re.findall(r"/password/\w+/\*{3}", lines.getvalue())
    assert len(logged) >= 2 * 4


def test_the_request_log_holds_no_link_to_confirm_an_address(
    client: Client, alice: User, lines: StringIO
) -> None:
    User.objects.filter(pk=alice.pk).update(email_confirmed_at=None)
    client.force_login(alice)
    client.post("/profile/email/send")
    link = link_in_letter("confirm_email", alice.email)

    assert client.get(link).status_code == 200
    assert client.get(f"{link}?again=1").status_code == 200

    assert link.rsplit("/", 1)[1] not in lines.getvalue()
    assert "/confirm/***?again=1" in lines.getvalue()


def test_every_address_that_carries_a_token_is_hidden() -> None:
    carrying = [path for path in named_paths().values() if path.endswith("/nonsense")]

    assert len(carrying) >= 2
    for path in carrying:
        shown = hide_mailed_links(None, "info", {"request": f"GET {path}"})["request"]
        assert "nonsense" not in shown


def test_neither_gunicorn_nor_the_proxy_keeps_a_log_of_requests() -> None:
    proxy = (ROOT / "deploy" / "nginx" / "service.conf").read_text()
    server = (ROOT / "mlservice" / "gunicorn.py").read_text()

    assert re.findall(r"access_log\s+(\w+);", proxy) == ["off"]
    assert "\naccesslog = None\n" in server


def test_the_proxy_logs_no_error_of_an_address_that_carries_a_token() -> None:
    proxy = (ROOT / "deploy" / "nginx" / "service.conf").read_text()
    quiet = re.search(r"location ~ (\S+) {\s+error_log /dev/null;", proxy)

    assert quiet is not None
    for path in named_paths().values():
        assert bool(re.search(quiet[1], path)) == path.endswith("/nonsense"), path


def test_a_page_behind_a_link_does_not_tell_its_address_onward(client: Client, alice: User) -> None:
    client.post("/password", {"email": alice.email})

    shown = client.get(link_in_letter("reset_password", alice.email))

    assert shown["Referrer-Policy"] == "origin"
    assert client.get("/")["Referrer-Policy"] == settings.SECURE_REFERRER_POLICY


def fail_with(error: Exception) -> None:
    raise error


def test_what_the_database_says_of_a_refused_row_is_left_out(lines: StringIO) -> None:
    said = (
        'violates a constraint\nDETAIL:  Failing row contains (7, {"carat": 0.7391}).\nCONTEXT: x'
    )

    try:
        fail_with(IntegrityError(said))
    except IntegrityError:
        structlog.get_logger("test").exception("request_failed", error=said)

    assert "0.7391" not in lines.getvalue()
    assert lines.getvalue().count("violates a constraint") >= 2
    assert "IntegrityError" in lines.getvalue()


def test_an_error_of_an_estimator_is_named_with_its_place_and_not_its_words() -> None:
    refused = ValueError(f"could not convert string to float: {'Secret'[::-1]!r}")
    try:
        fail_with(refused)
    except ValueError as error:
        said = without_words(error)

    assert said["error"] == "ValueError"
    assert "test_what_logs_keep_quiet.py" in said["where"]
    assert "terceS" not in str(said)


@pytest.mark.parametrize("name", TALKATIVE)
def test_what_writes_down_values_and_keys_never_does(name: str) -> None:
    assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (["a", "b"], {"request_ids": ["a", "b"]}),
        (["a", ""], {"request_ids": ["a"]}),
        ([""], {}),
        ([], {}),
        (["a"] * 17, {}),
    ],
)
def test_lines_name_the_requests_of_small_groups_only(
    asked: list[str], named: dict[str, list[str]]
) -> None:
    assert asked_by(asked) == named
