"""The operators' home: figures of today, each of which leads to the list that it counts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from billing.adjustments import adjust
from billing.models import AuditRun, LedgerEntry, Wallet
from billing.services import wallet_of
from billing.top_ups import start_top_up
from ml_models.models import MLModel, ModelVersion
from mlservice.site.desk import GROUPS, Figure, Group, right_to
from predictions import runner
from predictions.models import DeadLetter, Prediction, Worker
from tests.conftest import make_prediction, make_user

pytestmark = pytest.mark.django_db

PageOf = Callable[[User], Client]


@pytest.fixture(autouse=True)
def version(published_version: ModelVersion) -> ModelVersion:
    return published_version


def make_candidate(stable: ModelVersion) -> ModelVersion:
    second = ModelVersion.objects.get(pk=stable.pk)
    second.pk, second.number = None, 2
    second.save()
    MLModel.objects.filter(pk=stable.model_id).update(candidate=second, candidate_share=20)
    return second


def home(client: Client) -> Any:
    answer = client.get("/admin/")
    assert answer.status_code == 200
    return answer


def figures(client: Client) -> dict[str, Figure]:
    desk = home(client).context["desk"]
    return {figure.title: figure for group in desk.values() for figure in group}


def listed(client: Client, figure: Figure) -> list[Any]:
    answer = client.get(figure.address)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def test_todays_predictions_lead_to_their_list(page: PageOf, staff: User, alice: User) -> None:
    today = make_prediction(alice)
    yesterday = make_prediction(alice)
    Prediction.objects.filter(pk=yesterday.pk).update(created_at=F("created_at") - timedelta(1))
    client = page(staff)

    figure = figures(client)["Predictions"]

    assert figure.value == "1"
    assert listed(client, figure) == [today]


def test_what_they_were_charged_is_what_the_ledger_captured(
    page: PageOf, staff: User, alice: User, forest_version: ModelVersion
) -> None:
    done = [make_prediction(alice), make_prediction(alice, model="random-forest")]
    for one in done:
        runner.run([one.pk])
    make_prediction(alice)
    client = page(staff)

    figure = figures(client)["Charged for them, credits"]

    captured = LedgerEntry.objects.filter(kind="capture").values_list("amount", flat=True)
    assert figure.value == str(-sum(captured)) == "6"
    assert {one.pk for one in listed(client, figure)} == {one.pk for one in done}


def test_failures_lead_to_what_failed(page: PageOf, staff: User, alice: User) -> None:
    failed, _ = make_prediction(alice), make_prediction(alice)
    Prediction.objects.filter(pk=failed.pk).update(status="failed", completed_at=timezone.now())
    client = page(staff)

    figure = figures(client)["Failed of them"]

    assert figure.value == "1"
    assert listed(client, figure) == [failed]


def test_the_backlog_leads_to_what_waits_with_the_oldest_first(
    page: PageOf, staff: User, alice: User
) -> None:
    waiting = [make_prediction(alice) for _ in range(3)]
    Prediction.objects.filter(pk=waiting[0].pk).update(
        created_at=timezone.now() - timedelta(seconds=100)
    )
    client = page(staff)

    shown = figures(client)

    assert shown["Waiting"].value == "3"
    assert shown["The oldest waits for"].value.removesuffix(" s") in {"100", "101", "102", "103"}
    for title in ("Waiting", "The oldest waits for"):
        assert listed(client, shown[title]) == waiting


def test_without_a_backlog_nothing_is_the_oldest(page: PageOf, staff: User) -> None:
    shown = figures(page(staff))

    assert (shown["Waiting"].value, shown["The oldest waits for"].value) == ("0", "–")


def test_only_workers_that_sent_a_sign_of_life_are_alive(page: PageOf, staff: User) -> None:
    Worker.objects.create(name="one", children=4)
    Worker.objects.create(name="two", children=2)
    Worker.objects.create(name="gone", children=8, seen_at=timezone.now() - timedelta(minutes=5))

    alive = figures(page(staff))["Workers alive"]

    assert (alive.value, alive.note, alive.is_wrong) == ("2", "6 processes", False)


def test_no_worker_at_all_is_wrong(page: PageOf, staff: User) -> None:
    assert figures(page(staff))["Workers alive"].is_wrong


def test_dead_letters_that_nobody_discarded_are_wrong(page: PageOf, staff: User) -> None:
    letter = DeadLetter.objects.create(queue="predictions")
    DeadLetter.objects.create(discarded_at=timezone.now(), discarded_by=staff)
    client = page(staff)

    figure = figures(client)["Dead letters"]

    assert (figure.value, figure.is_wrong) == ("1", True)
    assert listed(client, figure) == [letter]


def test_broken_versions_are_wrong_and_lead_to_them(
    page: PageOf, staff: User, version: ModelVersion
) -> None:
    client = page(staff)
    before = figures(client)["Broken versions"]
    ModelVersion.objects.filter(pk=version.pk).update(status="broken", broken_at=timezone.now())

    after = figures(client)["Broken versions"]

    assert (before.value, before.is_wrong) == ("0", False)
    assert (after.value, after.is_wrong) == ("1", True)
    assert listed(client, after) == [version]


def test_a_candidate_leads_to_its_comparison(
    page: PageOf, staff: User, version: ModelVersion
) -> None:
    second = make_candidate(version)
    client = page(staff)

    figure = figures(client)["Candidate of Linear Regression"]

    assert figure.value == "20%"
    assert figure.note == "of the users: version 2, published"
    assert not figure.is_wrong
    assert client.get(figure.address).context["comparison"].candidate == second


def test_top_ups_that_wait_for_an_operator_lead_to_them(
    page: PageOf, staff: User, alice: User
) -> None:
    waiting = start_top_up(wallet=wallet_of(alice.pk), amount=5, provider="manual")
    client = page(staff)

    figure = figures(client)["Top-ups to decide"]

    assert figure.value == "1"
    assert listed(client, figure) == [waiting]


def test_adjustments_that_wait_for_a_second_operator_lead_to_them(
    page: PageOf, staff: User, alice: User, settings: Any
) -> None:
    settings.ADJUSTMENT_ALONE_CREDITS = 1
    adjust(
        kind="grant",
        wallet_id=wallet_of(alice.pk).pk,
        amount=500,
        reason="A large one",
        actor_id=staff.pk,
        adjustment_id=uuid4(),
    )
    client = page(staff)

    figure = figures(client)["Adjustments to decide"]

    assert figure.value == "1"
    assert [row.reason for row in listed(client, figure)] == ["A large one"]


def test_frozen_wallets_lead_to_them(page: PageOf, staff: User, alice: User, bob: User) -> None:
    Wallet.objects.filter(user=alice).update(shortfall=3)
    client = page(staff)

    figure = figures(client)["Frozen wallets"]

    assert figure.value == "1"
    assert [wallet.user for wallet in listed(client, figure)] == [alice]


def test_the_last_audit_is_told(page: PageOf, staff: User) -> None:
    client = page(staff)
    title = "The books at the last audit"
    never = figures(client)[title]
    AuditRun.objects.create(counts={"one": 0}, seconds=1)
    agreed = figures(client)[title]
    AuditRun.objects.create(counts={"one": 2}, seconds=1)
    differs = figures(client)[title]

    assert (never.value, never.note) == ("–", "no audit has run yet")
    assert (agreed.value, agreed.is_wrong) == ("agree", False)
    assert (differs.value, differs.is_wrong) == ("differ", True)
    assert listed(client, differs)[0] == AuditRun.objects.latest()


def test_the_search_box_finds_a_prediction(page: PageOf, staff: User, alice: User) -> None:
    wanted = make_prediction(alice)
    client = page(staff)

    answer = home(client)
    found = client.get(answer.context["finder"], {"q": str(wanted.pk)})

    assert f'action="{answer.context["finder"]}"' in answer.content.decode()
    assert list(found.context["cl"].result_list) == [wanted]


def test_an_operator_sees_only_what_there_is_a_right_to(page: PageOf, alice: User) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_topup"))

    answer = home(page(clerk))

    assert [figure.title for group in answer.context["desk"].values() for figure in group] == [
        "Top-ups to decide"
    ]
    assert answer.context["finder"] == ""
    assert "Find a prediction" not in answer.content.decode()


def test_nothing_is_counted_for_an_operator_without_a_right(page: PageOf, alice: User) -> None:
    make_prediction(alice)
    client = page(make_user("clerk", is_staff=True))

    with CaptureQueriesContext(connection) as queries:
        answer = home(client)

    assert answer.context["desk"] == {}
    asked = " ".join(query["sql"] for query in queries)
    for app in ("predictions", "billing", "ml_models"):
        assert f'FROM "{app}_' not in asked
        assert f"FROM {app}_" not in asked
    assert len(queries) <= 6


def test_of_money_nothing_is_counted_for_who_may_see_workers_alone(page: PageOf) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_worker"))

    with CaptureQueriesContext(connection) as queries:
        answer = home(page(clerk))

    assert list(answer.context["desk"]) == ["Now"]
    assert [figure.title for figure in answer.context["desk"]["Now"]] == ["Workers alive"]
    assert 'FROM "billing_' not in " ".join(query["sql"] for query in queries)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: str(group.title))
def test_a_group_names_every_list_that_its_figures_lead_to(
    group: Group, version: ModelVersion
) -> None:
    make_candidate(version)

    assert {figure.right for figure in group.figures()} == {right_to(one) for one in group.lists}


def test_a_client_is_not_let_in(page: PageOf, alice: User) -> None:
    assert page(alice).get("/admin/").status_code == 302


def test_it_asks_as_often_for_thirty_as_for_three(page: PageOf, staff: User, alice: User) -> None:
    client = page(staff)
    counts = []
    for more in (3, 27):
        for number in range(more):
            make_prediction(alice)
            Worker.objects.create(name=f"{more} {number}", children=1)
            DeadLetter.objects.create(queue="predictions")
            AuditRun.objects.create(counts={}, seconds=1)
        with CaptureQueriesContext(connection) as queries:
            home(client)
        counts.append(len(queries))

    assert counts[0] == counts[1]
