"""From the landing page to a paid prediction: few steps, each leading to the next."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions import runner
from predictions.models import Prediction
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]
AMOUNT = {"amount": "10", "provider": "demo"}


def inputs(page: str) -> dict[str, str]:
    """Give what the form in the page's content would send as it comes."""
    content = page.partition("<main")[2].partition("</main>")[0]
    form = re.search(r'<form[^>]*class="[^"]*form.*?</form>', content, flags=re.DOTALL)
    assert form is not None
    typed = re.findall(r'<input(?=[^>]* name="([^"]+)")(?=[^>]* value="([^"]*)")', form[0])
    chosen = re.findall(
        r'<select name="([^"]+)".*?<option value="([^"]*)" selected', form[0], flags=re.DOTALL
    )
    first = re.findall(r'<select name="([^"]+)"[^>]*>\s*<option value="([^"]*)"', form[0])
    return dict(first) | dict(typed) | dict(chosen)


def test_a_newcomer_predicts_after_eight_things_done(
    client: Client, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thing done is a click or a filled field; what a form brings filled is none."""
    monkeypatch.setattr("predictions.playground.WAIT_SECONDS", 0)
    done = 0

    assert 'href="/sign-up"' in client.get("/").content.decode()
    done += 1
    filled = {"username": "carol", "email": "carol@example.com", "password": PASSWORD}
    answer = client.post("/sign-up", filled)
    done += len(filled) + 1
    to_top_up = answer["Location"]
    answer = client.post(to_top_up, inputs(client.get(to_top_up).content.decode()))
    done += 1
    offered = client.get(answer["Location"]).content.decode()
    use_it = "/predictions/new?model=linear-regression"
    assert f'href="{use_it}"' in offered
    done += 1
    answer = client.post("/predictions/new", inputs(client.get(use_it).content.decode()))
    done += 1

    made = Prediction.objects.get()
    assert answer["Location"] == made.get_absolute_url()
    runner.run([made.pk])
    made.refresh_from_db()
    assert (made.status, made.cost) == ("succeeded", 1)
    assert done == 8


def test_a_paid_top_up_leads_on_to_where_one_wanted(page: PageOf, alice: User) -> None:
    answer = page(alice).post("/wallet/top-up?next=/models/linear-regression", AMOUNT)

    assert answer["Location"] == "/models/linear-regression"


@pytest.mark.parametrize(
    "foreign",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "foo"],
)
def test_a_top_up_leads_nowhere_else(page: PageOf, alice: User, foreign: str) -> None:
    answer = page(alice).post("/wallet/top-up", AMOUNT, query_params={"next": foreign})

    assert answer["Location"] == "/wallet"
    assert wallet_of(alice.pk).balance == 1_010


def test_a_top_up_that_waits_leads_to_the_wallet(page: PageOf, alice: User) -> None:
    asked = {"amount": "10", "provider": "manual"}

    answer = page(alice).post("/wallet/top-up?next=/models/linear-regression", asked)

    assert answer["Location"] == "/wallet"
