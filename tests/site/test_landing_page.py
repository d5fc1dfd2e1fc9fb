"""The landing page: open to all, with the catalogue, in two languages."""

import pytest
from django.test import Client

from ml_models.models import ModelVersion

pytestmark = pytest.mark.django_db


def test_a_visitor_sees_the_catalogue_with_prices(
    client: Client, published_version: ModelVersion
) -> None:
    page = client.get("/").content.decode()

    assert published_version.model.title in page
    assert "/models/linear-regression" in page
    assert "credit a row" in page


def test_an_empty_catalogue_says_so(client: Client) -> None:
    page = client.get("/").content.decode()

    assert "No model is published yet" in page


def test_the_browser_chooses_the_language(client: Client) -> None:
    page = client.get("/", headers={"accept-language": "ru-RU,ru;q=0.9"}).content.decode()

    assert '<html lang="ru">' in page


def test_the_switch_chooses_the_language_and_comes_back(client: Client) -> None:
    response = client.post("/language", {"language": "ru", "next": "/sign-in"})

    assert response["Location"] == "/sign-in"
    assert '<html lang="ru">' in client.get("/").content.decode()


def test_pages_allow_no_script_of_others(client: Client) -> None:
    response = client.get("/")

    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "<style" not in response.content.decode()
    assert " style=" not in response.content.decode()
