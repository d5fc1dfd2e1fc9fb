"""The operators' desk for models: the pointer, the price and retiring, each by its service."""

from collections.abc import Callable

from django.test import Client

from accounts.models import User
from ml_models.models import ModelVersion
from tests.ml_models.builders import dumped, make_artifact, make_estimator, make_version

Page = Callable[[User], Client]


def make_two_versions() -> tuple[ModelVersion, ModelVersion]:
    first = make_version()
    second = make_version(artifact=make_artifact(dumped(make_estimator(slope=3.0))))
    return first, second


def act(client: Client, action: str, version: ModelVersion) -> list[str]:
    chosen = {"action": action, "_selected_action": [version.pk]}
    answer = client.post("/admin/ml_models/modelversion/", chosen, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def test_the_pointer_is_moved_back(staff: User, page: Page) -> None:
    first, second = make_two_versions()

    act(page(staff), "make_stable", first)

    second.model.refresh_from_db()
    assert second.model.stable == first


def test_a_version_is_retired(staff: User, page: Page) -> None:
    first, _ = make_two_versions()

    act(page(staff), "retire", first)

    first.refresh_from_db()
    assert first.is_retired


def test_the_stable_version_is_not_retired_and_the_operator_is_told(
    staff: User, page: Page
) -> None:
    _, second = make_two_versions()

    told = act(page(staff), "retire", second)

    second.refresh_from_db()
    assert not second.is_retired
    assert any("stable version cannot be retired" in message for message in told)


def test_a_price_is_changed(staff: User, page: Page) -> None:
    version = make_version()

    answer = page(staff).post(
        f"/admin/ml_models/modelversion/{version.pk}/change/", {"price": 7, "status": "retired"}
    )

    version.refresh_from_db()
    assert answer.status_code == 302
    assert (version.price, version.is_retired) == (7, False)


def test_a_price_of_nothing_is_refused(staff: User, page: Page) -> None:
    version = make_version(price=3)

    answer = page(staff).post(f"/admin/ml_models/modelversion/{version.pk}/change/", {"price": 0})

    version.refresh_from_db()
    assert answer.status_code == 200
    assert "price" in answer.context["adminform"].form.errors
    assert version.price == 3


def test_a_model_is_shown_and_not_deleted(staff: User, page: Page) -> None:
    model = make_version().model
    client = page(staff)

    seen = client.get(f"/admin/ml_models/mlmodel/{model.pk}/change/")
    deleted = client.post(f"/admin/ml_models/mlmodel/{model.pk}/delete/", {"post": "yes"})

    assert seen.status_code == 200
    assert deleted.status_code == 403
