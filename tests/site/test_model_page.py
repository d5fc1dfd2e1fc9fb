"""The page of one model, open to everybody."""

from collections.abc import Callable

from django.test import Client

from accounts.models import User
from ml_models.models import ModelVersion

PageOf = Callable[[User], Client]


def test_everybody_sees_price_metrics_and_columns(
    client: Client, forest_version: ModelVersion
) -> None:
    answer = client.get("/models/random-forest")

    shown = answer.content.decode()
    columns = {column["name"]: column for column in answer.context["columns"]}
    assert answer.status_code == 200
    assert "5 credits a row" in shown
    assert list(columns) == list(forest_version.input_schema["properties"])
    assert columns["cut"]["takes"] == "Fair, Good, Very Good, Premium, Ideal"
    assert (columns["carat"]["unit"], columns["carat"]["learnt"]) == ("ct", "0.2 – 5.01")
    assert [metric["value"] for metric in answer.context["metrics"]][2:] == [
        "0.9805", "42,944", "10,747",
    ]  # fmt: skip


def test_the_form_to_try_it_goes_to_a_new_prediction(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).get("/models/linear-regression")

    shown = answer.content.decode()
    assert 'action="/predictions/new"' in shown
    assert 'name="model" value="linear-regression"' in shown
    assert 'name="version" value="1"' in shown
    assert answer.context["form"]["cut"].value() == published_version.example["cut"]


def test_a_guest_is_led_to_sign_in_and_back(
    client: Client, published_version: ModelVersion
) -> None:
    shown = client.get("/models/linear-regression").content.decode()

    assert 'href="/sign-in?next=/models/linear-regression"' in shown


def test_it_speaks_russian_where_the_schema_does(
    client: Client, published_version: ModelVersion
) -> None:
    shown = client.get("/models/linear-regression", headers={"Accept-Language": "ru"})

    assert "Линейная регрессия" in shown.content.decode()
    assert shown.context["columns"][0]["title"] == "Караты"


def test_an_unknown_model_is_not_found(client: Client, db: None) -> None:
    assert client.get("/models/nothing").status_code == 404
