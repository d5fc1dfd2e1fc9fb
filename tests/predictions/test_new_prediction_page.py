"""A new prediction in the browser: one row by a form, or many as a table."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from billing.services import wallet_of
from ml_models.models import ModelVersion
from predictions.models import Prediction
from predictions.waiting import waiters

NEW = "/predictions/new"
PageOf = Callable[[User], Client]


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs here, so a page that waited would wait in vain."""
    monkeypatch.setattr(waiters, "is_draining", True)


def sent(version: ModelVersion, **columns: Any) -> dict[str, Any]:
    row = {f"column-{name}": value for name, value in (version.example | columns).items()}
    return {"model": version.model.slug, "version": version.number, **row}


def table(version: ModelVersion, *rows: dict[str, Any]) -> str:
    names = list(version.example)
    lines = [[str((version.example | row)[name]) for name in names] for row in rows]
    return "\n".join(",".join(line) for line in [names, *lines])


def test_without_a_model_all_models_are_offered(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).get(NEW)

    assert "predictions/new?model=linear-regression" in answer.content.decode()


def test_the_form_is_made_of_the_schema_and_filled_with_the_example(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    form = page(alice).get(NEW, {"model": "linear-regression"}).context["form"]

    assert list(form.fields) == list(published_version.input_schema["properties"])
    assert {name: form[name].value() for name in form.fields} == {
        name: str(value) for name, value in published_version.example.items()
    }
    assert [value for value, _ in form.fields["cut"].choices] == [
        "Fair", "Good", "Very Good", "Premium", "Ideal",
    ]  # fmt: skip
    assert form.fields["carat"].label == "Carat, ct"
    assert "Training data: 0.2 – 5.01." in form.fields["carat"].help_text


def test_one_row_is_sent_as_the_schema_types_it(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent(published_version))

    prediction = Prediction.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/predictions/{prediction.pk}"
    assert prediction.input_value == published_version.example
    assert (prediction.source, prediction.user_id) == ("web", alice.pk)
    assert wallet_of(alice.pk).held == published_version.price


def test_a_value_that_breaks_the_schema_is_shown_at_its_input(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent(published_version, carat="heavy", depth="120"))

    form = answer.context["form"]
    assert answer.status_code == 422
    assert form["carat"].errors == ["Must be a number."]
    assert form["depth"].errors == ["Must be from 0 to 100."]
    assert form["carat"].value() == "heavy"
    assert not Prediction.objects.exists()


def test_the_form_speaks_the_readers_language(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    client = page(alice)
    client.cookies["django_language"] = "ru"

    form = client.get(NEW, {"model": "linear-regression"}).context["form"]

    assert form.fields["carat"].label == "Караты, ct"


def test_an_empty_input_is_asked_for(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    answer = page(alice).post(NEW, sent(published_version, carat=""))

    assert answer.context["form"]["carat"].errors == ["This field is required."]


def test_short_credits_are_said_over_the_form_with_the_way_to_more(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    rows: list[dict[str, Any]] = [{}] * 1_000
    client = page(alice)
    client.post(NEW, sent(published_version))

    answer = client.post(
        NEW, {"model": "linear-regression", "as": "table", "text": table(published_version, *rows)}
    )

    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "this takes 1,000, you have 999" in shown
    assert 'href="/wallet/top-up?next=/predictions/new%3Fmodel%3Dlinear-regression"' in shown
    assert Prediction.objects.count() == 1


def test_a_pasted_table_is_sent_whole_and_only_rows_that_fit_are_reserved(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    text = table(published_version, {}, {"cut": "Splendid"}, {"carat": ""})

    page(alice).post(NEW, {"model": "linear-regression", "as": "table", "text": text})

    prediction = Prediction.objects.get()
    assert (prediction.rows_total, prediction.rows_valid) == (3, 1)
    assert prediction.input_value[0] == published_version.example
    assert "carat" not in prediction.input_value[2]


def test_an_uploaded_file_is_read_like_a_pasted_table(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    content = b"\xef\xbb\xbf" + table(published_version, {}, {}).replace(",", ";").encode()
    file = SimpleUploadedFile("rows.csv", content)

    page(alice).post(NEW, {"model": "linear-regression", "as": "table", "file": file})

    assert Prediction.objects.get().rows_valid == 2


@pytest.mark.parametrize("size", [700_000, 3_000_000])
def test_an_upload_needs_no_disk(
    page: PageOf, alice: User, published_version: ModelVersion, settings: Any, size: int
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = "/dev/full"
    rows = table(published_version, {}, {}).encode()
    file = SimpleUploadedFile("rows.csv", rows + b"\n" * (size - len(rows)))

    answer = page(alice).post(NEW, {"model": "linear-regression", "as": "table", "file": file})

    is_taken = size < 1_000_000
    assert ("larger than 1 MB" in answer.content.decode()) != is_taken
    assert Prediction.objects.count() == is_taken
    assert wallet_of(alice.pk).held == 2 * published_version.price * is_taken


def test_a_table_without_a_row_that_fits_names_the_rows(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    text = table(published_version, {"cut": "Splendid"}, {"carat": "-1"})

    answer = page(alice).post(NEW, {"model": "linear-regression", "as": "table", "text": text})

    errors = answer.context["form"].non_field_errors()
    assert answer.status_code == 422
    assert errors[0] == "Row 1. Cut: must be one of: Fair, Good, Very Good, Premium, Ideal"
    assert errors[1] == "Row 2. Carat: must be from 0.01 to 3,106.75"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"text": ""}, "The table is empty"),
        ({"text": "a,b\n1,2"}, "The first line must name the columns"),
        ({"file": SimpleUploadedFile("a.csv", b"\xff\xfea\0")}, "UTF-16"),
        ({"file": SimpleUploadedFile("a.csv", b"0" * 1_000_001)}, "larger than 1 MB"),
        ({"file": SimpleUploadedFile("a.csv", b"a"), "text": "b"}, "not both"),
    ],
)
def test_what_is_no_table_is_refused_at_the_form(
    page: PageOf,
    alice: User,
    published_version: ModelVersion,
    fields: dict[str, Any],
    complaint: str,
) -> None:
    answer = page(alice).post(NEW, {"model": "linear-regression", "as": "table", **fields})

    assert answer.status_code == 422
    assert complaint in str(answer.context["form"].errors)
    assert not Prediction.objects.exists()


@pytest.mark.parametrize("model", ["nothing", "not a slug", "a\0"])
def test_an_unknown_model_is_not_found(page: PageOf, alice: User, model: str) -> None:
    answer = page(alice).get(NEW, {"model": model})

    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_needs_a_sign_in(client: Client, db: None, method: str) -> None:
    answer = getattr(client, method)(NEW)

    assert answer["Location"] == f"/sign-in?next={NEW}"
