"""A refresh token is good for one use, also when it is used many times at one moment.

The race is forced: every thread has found the token unused before any may use it up.
"""

from collections import Counter
from functools import partial

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from accounts.api.serializers import RefreshSerializer
from accounts.api.tokens import SingleUseRefreshToken
from tests.conftest import make_user
from tests.races.threads import at_once, meeting, results

CLIENTS = 8


def refresh_at_once(
    token_class: type[RefreshToken], monkeypatch: pytest.MonkeyPatch
) -> Counter[int]:
    """Refresh one token from many addresses; count the statuses."""
    refresh = str(token_class.for_user(make_user("alice")))
    all_have_looked = meeting(CLIENTS)
    look = RefreshToken.check_blacklist

    def look_and_meet(token: RefreshToken) -> None:
        look(token)
        all_have_looked()

    monkeypatch.setattr(RefreshToken, "check_blacklist", look_and_meet)
    monkeypatch.setattr(RefreshSerializer, "token_class", token_class)

    def post(address: str) -> int:
        answer = APIClient().post(
            "/api/v1/auth/token/refresh", {"refresh": refresh}, "json", REMOTE_ADDR=address
        )
        return int(answer.status_code)

    addresses = [f"10.0.0.{number}" for number in range(CLIENTS)]
    return Counter(results(at_once([partial(post, address) for address in addresses])))


@pytest.mark.parametrize("attempt", range(10))
def test_of_eight_refreshes_of_one_token_one_wins(
    monkeypatch: pytest.MonkeyPatch, attempt: int
) -> None:
    statuses = refresh_at_once(SingleUseRefreshToken, monkeypatch)

    assert statuses == {200: 1, 401: CLIENTS - 1}


def test_of_the_librarys_own_token_all_win(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = refresh_at_once(RefreshToken, monkeypatch)

    assert statuses == {200: CLIENTS}
