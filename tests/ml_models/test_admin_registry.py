"""The operators' desk for models: the pointer, the price and retiring, each by its service."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from sklearn.neighbors import KNeighborsRegressor

from accounts.models import User
from ml_models.errors import ExplanationsNotOffered
from ml_models.models import MLModel, ModelVersion, PointerMove
from ml_models.pointers import promote, set_candidate
from ml_models.services import publish_version, set_explain_multiplier, set_price
from tests.conftest import make_user
from tests.ml_models.builders import (
    TOY_SCHEMA,
    dumped,
    make_artifact,
    make_estimator,
    make_release,
    make_version,
)

Page = Callable[[User], Client]
MODELS = "/admin/ml_models/mlmodel/"


def make_two_versions() -> tuple[ModelVersion, ModelVersion]:
    first = make_version()
    second = make_version(artifact=make_artifact(dumped(make_estimator(slope=3.0))))
    return first, second


def act(client: Client, action: str, version: ModelVersion) -> list[str]:
    chosen = {"action": action, "_selected_action": [version.pk]}
    answer = client.post("/admin/ml_models/modelversion/", chosen, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]]


def test_a_version_is_promoted(staff: User, page: Page) -> None:
    first, second = make_two_versions()

    act(page(staff), "make_stable", second)

    first.model.refresh_from_db()
    assert first.model.stable == second


def test_a_version_is_retired(staff: User, page: Page) -> None:
    _, second = make_two_versions()

    act(page(staff), "retire", second)

    second.refresh_from_db()
    assert second.is_retired


def test_the_stable_version_is_not_retired_and_the_operator_is_told(
    staff: User, page: Page
) -> None:
    first, _ = make_two_versions()

    told = act(page(staff), "retire", first)

    first.refresh_from_db()
    assert not first.is_retired
    assert any("stable version cannot be retired" in message for message in told)


def test_a_price_is_changed(staff: User, page: Page) -> None:
    version = make_version()

    answer = page(staff).post(
        f"/admin/ml_models/modelversion/{version.pk}/change/",
        {"price": 7, "explain_multiplier": 4, "status": "retired"},
    )

    version.refresh_from_db()
    assert answer.status_code == 302
    assert (version.price, version.is_retired) == (7, False)
    assert version.explained_price == 28


def test_a_multiple_outside_its_limits_is_refused(staff: User, page: Page) -> None:
    version = make_version()

    for multiple in (-1, 101):
        answer = page(staff).post(
            f"/admin/ml_models/modelversion/{version.pk}/change/",
            {"price": 7, "explain_multiplier": multiple},
        )

        assert "explain_multiplier" in answer.context["adminform"].form.errors
    version.refresh_from_db()
    assert (version.price, version.explain_multiplier) == (3, 2)


def test_a_version_that_cannot_be_explained_is_given_no_multiple(staff: User, page: Page) -> None:
    columns = {"p": 1.0, "q": 2.0, "r": 3.0}
    neighbours = KNeighborsRegressor(1).fit([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], [1.0, 2.0])
    schema = TOY_SCHEMA | {
        "properties": {name: {"type": "number"} for name in columns},
        "required": list(columns),
    }
    version = make_version(
        artifact=make_artifact(dumped(neighbours)), input_schema=schema, example=columns
    )
    assert version.explain_multiplier == 0

    page(staff).post(
        f"/admin/ml_models/modelversion/{version.pk}/change/", {"price": 7, "explain_multiplier": 4}
    )

    version.refresh_from_db()
    assert (version.price, version.explain_multiplier) == (7, 0)
    with pytest.raises(ExplanationsNotOffered):
        set_explain_multiplier(version=version, multiplier=2)


def test_a_version_of_before_is_tried_and_then_offers_explanations(staff: User, page: Page) -> None:
    version = make_version(explain_multiplier=0)

    page(staff).post(
        f"/admin/ml_models/modelversion/{version.pk}/change/", {"price": 3, "explain_multiplier": 4}
    )

    version.refresh_from_db()
    change = version.price_changes.get()
    assert version.explained_price == 12
    assert (change.is_explained, change.price_before, change.price_after) == (True, 0, 12)
    assert change.actor == staff


def test_explanations_can_be_withdrawn(staff: User, page: Page) -> None:
    version = make_version()

    page(staff).post(
        f"/admin/ml_models/modelversion/{version.pk}/change/", {"price": 3, "explain_multiplier": 0}
    )

    version.refresh_from_db()
    assert version.explain_multiplier == 0


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


def test_a_draft_is_published(staff: User, page: Page) -> None:
    draft, _ = publish_version(release=make_release(), is_draft=True)

    act(page(staff), "release", draft)

    draft.refresh_from_db()
    assert draft.is_published
    assert MLModel.objects.get().stable == draft


def test_a_candidate_is_set_on_the_models_page_and_noted(staff: User, page: Page) -> None:
    first, second = make_two_versions()
    client = page(staff)
    address = f"{MODELS}{first.model_id}/change/"

    shown = client.get(address)
    saved = client.post(address, {"candidate": second.pk, "candidate_share": 20, "title": "Other"})

    model = MLModel.objects.get()
    choices = shown.context["adminform"].form.fields["candidate"].queryset
    assert list(choices) == [second]
    assert saved.status_code == 302
    assert (model.candidate, model.candidate_share, model.title) == (second, 20, "Toy")
    assert PointerMove.objects.latest("pk").actor == staff
    assert LogEntry.objects.filter(object_id=str(model.pk)).exists()


def test_a_candidate_is_taken_away_on_the_models_page(staff: User, page: Page) -> None:
    first, second = make_two_versions()
    set_candidate(version=second, share=20)

    page(staff).post(f"{MODELS}{first.model_id}/change/", {"candidate": "", "candidate_share": 0})

    assert MLModel.objects.get().candidate is None


@pytest.mark.parametrize(("with_version", "share"), [(True, 0), (True, 101), (False, 10)])
def test_a_share_that_does_not_fit_is_refused_at_the_form(
    staff: User, page: Page, with_version: bool, share: int
) -> None:
    first, second = make_two_versions()
    chosen = second.pk if with_version else ""

    answer = page(staff).post(
        f"{MODELS}{first.model_id}/change/", {"candidate": chosen, "candidate_share": share}
    )

    assert answer.status_code == 200
    assert "1 to 100 percent" in answer.content.decode()
    assert MLModel.objects.get().candidate is None


def test_a_candidate_is_promoted_and_rolled_back_from_the_list(staff: User, page: Page) -> None:
    first, second = make_two_versions()
    set_candidate(version=second, share=20)
    client = page(staff)

    for action, stable in (("promote_candidate", second), ("roll_back", first)):
        chosen = {"action": action, "_selected_action": [first.model_id]}
        client.post(MODELS, chosen, follow=True)
        assert MLModel.objects.get().stable == stable

    assert LogEntry.objects.filter(object_id=str(first.model_id)).count() == 2
    assert PointerMove.objects.latest("pk").actor == staff


def test_who_may_only_look_moves_no_pointer(page: Page, db: None) -> None:
    first, second = make_two_versions()
    set_candidate(version=second, share=20)
    looker = make_user("looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_mlmodel"))
    client = page(looker)

    chosen = {"action": "promote_candidate", "_selected_action": [first.model_id]}
    client.post(MODELS, chosen, follow=True)
    saved = client.post(f"{MODELS}{first.model_id}/change/", {"candidate": "", "share": 0})

    model = MLModel.objects.get()
    assert saved.status_code == 403
    assert (model.stable, model.candidate) == (first, second)


def test_moves_and_prices_are_listed_with_who_made_them(staff: User, page: Page) -> None:
    version, second = make_two_versions()
    set_price(version=version, price=9, actor_id=staff.pk)
    promote(version=second, actor_id=staff.pk)

    for name in ("pointermove", "pricechange"):
        shown = page(staff).get(f"/admin/ml_models/{name}/")
        assert shown.status_code == 200
        assert "operator" in shown.content.decode()
