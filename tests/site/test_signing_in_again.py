"""A session that ended while a page stood open leads the whole window to the sign-in."""

import pytest
from django.test import Client

from accounts.models import User
from ml_models.models import ModelVersion
from tests.conftest import make_prediction

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/models/toy?as=rows"}
SIGN_IN = "/sign-in?next=%2Fmodels%2Ftoy%3Fas%3Drows"


@pytest.mark.parametrize("path", ["/predictions/new", "/predictions/quote"])
def test_a_form_that_htmx_sends_is_led_to_the_sign_in(client: Client, db: None, path: str) -> None:
    answer = client.post(path, {"model": "toy"}, headers=HTMX)

    assert (answer.status_code, answer["HX-Redirect"]) == (200, SIGN_IN)
    assert answer.content == b""


def test_a_poll_is_led_there_too(
    client: Client, alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)

    answer = client.get(f"{prediction.get_absolute_url()}?seen=starting", headers=HTMX)

    assert answer["HX-Redirect"] == SIGN_IN


def test_a_window_of_its_own_is_redirected_as_ever(client: Client, db: None) -> None:
    answer = client.get("/predictions/new")

    assert (answer.status_code, answer["Location"]) == (302, "/sign-in?next=/predictions/new")
