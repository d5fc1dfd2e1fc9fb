"""A link to set a new password is good once, however often it is used at one moment."""

from collections.abc import Callable
from functools import partial

import pytest

from accounts import passwords
from accounts.errors import LinkNotGood
from accounts.models import User
from accounts.passwords import reset_password, send_reset_link
from tests.accounts.links import letters, link_in_letter
from tests.conftest import make_user
from tests.races.threads import at_once

TIMES = 4


def uses_of_one_link(alice: User) -> list[Callable[[], object]]:
    """Give calls that set as many different passwords by the same link."""
    send_reset_link(email=alice.email)
    _, _, uid, token = link_in_letter("reset_password", alice.email).split("/")
    use = partial(reset_password, uid=uid, token=token)
    return [partial(use, password=f"private phrase {number}") for number in range(TIMES)]


def test_one_of_them_sets_the_password() -> None:
    alice = make_user("alice")

    answers = at_once(uses_of_one_link(alice))

    done = [number for number, answer in enumerate(answers) if isinstance(answer, User)]
    refused = [answer for answer in answers if isinstance(answer, LinkNotGood)]
    assert (len(done), len(refused)) == (1, TIMES - 1)
    alice.refresh_from_db()
    assert alice.check_password(f"private phrase {done[0]}")
    assert letters("password_changed", alice.email).count() == 1


def test_who_looks_only_before_the_lock_sets_it_as_often_as_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: the second look is answered with what the first one saw."""
    alice = make_user("alice")
    uses = uses_of_one_link(alice)
    monkeypatch.setattr(passwords, "find_reset", lambda **link: User.objects.get(pk=alice.pk))

    answers = at_once(uses)

    assert [type(answer).__name__ for answer in answers] == ["User"] * TIMES
