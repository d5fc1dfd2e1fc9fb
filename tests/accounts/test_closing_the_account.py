"""Closing an account: the person goes, the books stay, and nothing is lost unasked."""

from collections.abc import Callable
from typing import Any

import pytest
from axes.models import AccessLog
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import mlservice.removal
from accounts.models import User
from billing.errors import OwnerDisabled
from billing.models import LedgerEntry, TopUp, Wallet
from billing.services import pay_top_up, record_reversal, wallet_of
from billing.top_ups import start_top_up
from ml_models.models import ModelVersion
from mlservice.audit import run_checks
from mlservice.lib.mail.models import Letter
from mlservice.removal import remove_what_leavers_sent
from predictions import removal, runner
from predictions.models import Prediction
from predictions.services import cancel_prediction
from tests.accounts.links import letters
from tests.accounts.test_tokens_api import me, post, sign_in
from tests.conftest import PASSWORD, make_prediction, make_user

PageOf = Callable[[User], Client]
CLOSE = "/profile/close"


def agree(client: Client, **changes: Any) -> Any:
    form = {"credits_lost": 1_000, "agreed": "on", "current_password": PASSWORD}
    return client.post(CLOSE, form | changes)


def is_closed(user: User) -> bool:
    user.refresh_from_db()
    return not user.is_active


def test_the_page_names_what_is_lost(page: PageOf, alice: User) -> None:
    drawn = page(alice).get(CLOSE).content.decode()

    assert "I give up 1,000 credits and close my account for good." in drawn


def test_nothing_says_any_more_who_it_was(page: PageOf, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(first_name="Alice", time_zone="Europe/London")

    answer = agree(page(alice))

    assert answer["Location"] == "/"
    assert is_closed(alice)
    assert alice.username == f"closed-{alice.pk}"
    assert alice.email == f"closed-{alice.pk}@closed.invalid"
    assert (alice.get_full_name(), alice.time_zone, alice.last_login) == ("", "UTC", None)
    assert not alice.has_usable_password()


def test_the_credits_go_by_a_correction_and_the_ledger_stays(page: PageOf, alice: User) -> None:
    agree(page(alice))

    kinds = LedgerEntry.objects.filter(wallet__user=alice).order_by("pk")
    assert list(kinds.values_list("kind", "amount", "balance_after", "actor_id")) == [
        ("top_up", 1_000, 1_000, None),
        ("correction", -1_000, 0, alice.pk),
    ]
    assert set(run_checks().values()) == {0}


def test_an_empty_wallet_needs_no_correction(page: PageOf, db: None) -> None:
    carol = make_user("carol")

    agree(page(carol), credits_lost=0)

    assert is_closed(carol)
    assert not LedgerEntry.objects.exists()


def test_all_access_ends(page: PageOf, client: Client, alice: User) -> None:
    tokens, there = sign_in(client, alice), page(alice)

    agree(page(alice))

    assert there.get("/profile").status_code == 302
    assert me(tokens["access"]).status_code == 401
    assert post(client, "token/refresh", refresh=tokens["refresh"]).status_code == 401
    again = client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert again.context["form"].non_field_errors()


def test_name_and_address_are_free_again(page: PageOf, client: Client, alice: User) -> None:
    agree(page(alice))

    form = {"username": "alice", "email": "alice@example.com", "password": PASSWORD}
    client.post("/sign-up", form)

    assert User.objects.get(username="alice").pk != alice.pk


def test_a_name_that_somebody_took_in_advance_does_not_stop_it(
    page: PageOf, alice: User, bob: User
) -> None:
    User.objects.filter(pk=bob.pk).update(username=f"closed-{alice.pk}")

    agree(page(alice))

    assert is_closed(alice)
    assert alice.username.startswith(f"closed-{alice.pk}-")


def test_rows_and_results_are_removed_and_the_cost_stays(
    page: PageOf, api: Any, alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice, metadata={"name": "Alice"})
    runner.run([prediction.pk])

    agree(page(alice), credits_lost=1_000 - published_version.price)
    done = [remove_what_leavers_sent(), remove_what_leavers_sent()]

    prediction.refresh_from_db()
    assert done == [1, 0]
    assert (prediction.input, prediction.output, prediction.metadata) == ("null", None, {})
    assert (prediction.data_removed, prediction.status) == (True, "succeeded")
    assert prediction.cost == published_version.price
    assert set(run_checks().values()) == {0}


def test_predictions_of_others_are_kept(
    page: PageOf, alice: User, bob: User, published_version: ModelVersion
) -> None:
    mine, disabled = make_prediction(bob), make_user("carol", credits=9)
    theirs = make_prediction(disabled)
    # An account that an operator disables is not closed, and may be opened again.
    User.objects.filter(pk=disabled.pk).update(is_active=False)

    agree(page(alice))
    remove_what_leavers_sent()

    for prediction in (mine, theirs):
        prediction.refresh_from_db()
        assert prediction.input_value == published_version.example


def closed_with_predictions(page: PageOf, alice: User, count: int) -> None:
    for _ in range(count):
        cancel_prediction(prediction=make_prediction(alice))
    agree(page(alice))


def left(alice: User) -> int:
    return Prediction.objects.filter(user=alice, data_removed=False).count()


def updates_of(asked: CaptureQueriesContext) -> int:
    """Count the statements that change predictions."""
    return sum(query["sql"].startswith('UPDATE "predictions_pred') for query in asked)


def test_closing_itself_touches_no_prediction(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    cancel_prediction(prediction=make_prediction(alice))

    with CaptureQueriesContext(connection) as asked:
        agree(page(alice))

    assert is_closed(alice)
    assert (updates_of(asked), left(alice)) == (0, 1)


def test_rows_are_removed_in_slices_until_none_is_left(
    page: PageOf, alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_with_predictions(page, alice, 5)
    monkeypatch.setattr(removal, "ROWS_A_SLICE", 2)

    with CaptureQueriesContext(connection) as asked:
        done = remove_what_leavers_sent()

    assert (done, left(alice), updates_of(asked)) == (1, 0, 3)


def test_a_run_out_of_time_goes_on_in_the_next(
    page: PageOf, alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_with_predictions(page, alice, 3)

    with monkeypatch.context() as hurried:
        hurried.setattr(mlservice.removal, "DUTY_SECONDS", -1)
        first = remove_what_leavers_sent()
    in_between = left(alice)

    assert (first, in_between) == (0, 3)
    assert (remove_what_leavers_sent(), left(alice)) == (1, 0)


def test_the_duty_runs_often_enough_for_what_the_page_says(page: PageOf, alice: User) -> None:
    duties: list[dict[str, Any]] = [*settings.CELERY_BEAT_SCHEDULE.values()]
    scheduled = {duty["task"]: duty["schedule"] for duty in duties}

    assert scheduled["mlservice.remove_what_leavers_sent"] <= 3_600 / 10
    assert "removed within the hour" in page(alice).get(CLOSE).content.decode()


@pytest.mark.parametrize("status", ["starting", "processing"])
def test_it_is_refused_while_work_runs(
    page: PageOf, alice: User, published_version: ModelVersion, status: str
) -> None:
    prediction = make_prediction(alice)
    Prediction.objects.filter(pk=prediction.pk).update(status=status)

    answer = agree(page(alice), credits_lost=1_000 - published_version.price)

    assert "Predictions are under way" in answer.content.decode()
    assert not is_closed(alice)


def test_it_is_possible_once_the_work_is_canceled(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    cancel_prediction(prediction=make_prediction(alice))

    agree(page(alice))

    assert is_closed(alice)


def test_it_is_refused_while_a_card_may_be_charged(page: PageOf, alice: User) -> None:
    make_pending(alice, "stripe")

    answer = agree(page(alice))

    assert "A card payment is open" in answer.content.decode()
    assert not is_closed(alice)


def test_what_waits_for_the_operator_is_withdrawn(page: PageOf, alice: User) -> None:
    waiting = make_pending(alice, "manual")

    agree(page(alice))

    waiting.refresh_from_db()
    assert is_closed(alice)
    assert (waiting.status, waiting.note) == ("failed", "The account was closed")


def make_pending(user: User, provider: str) -> TopUp:
    top_up = start_top_up(wallet=wallet_of(user.pk), amount=5, provider="manual")
    TopUp.objects.filter(pk=top_up.pk).update(provider=provider)
    return top_up


def test_it_is_refused_while_credits_are_owed(page: PageOf, db: None) -> None:
    carol = make_user("carol")
    bought = make_pending(carol, "stripe")
    pay_top_up(top_up_id=bought.pk, payment_id="pay_1")
    Wallet.objects.filter(user=carol).update(shortfall=3)

    answer = agree(page(carol), credits_lost=5)

    assert "The wallet is frozen" in answer.content.decode()
    assert not is_closed(carol)
    Wallet.objects.filter(user=carol).update(shortfall=0)


def test_another_amount_than_was_agreed_to_is_asked_for_again(page: PageOf, alice: User) -> None:
    client = page(alice)
    start_top_up(wallet=wallet_of(alice.pk), amount=7, provider="demo")

    answer = agree(client)

    assert "I give up 1,007 credits" in answer.content.decode()
    assert 'value="1007"' in answer.content.decode()
    assert not is_closed(alice)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"current_password": "wrong"}, "current_password"),
        ({"current_password": ""}, "current_password"),
        ({"agreed": ""}, "agreed"),
        ({"credits_lost": "all"}, "credits_lost"),
    ],
)
def test_it_takes_the_password_and_the_agreement(
    page: PageOf, alice: User, changes: dict[str, str], field: str
) -> None:
    answer = agree(page(alice), **changes)

    assert field in answer.context["form"].errors
    assert not is_closed(alice)


def test_an_operator_does_not_leave_by_this_door(page: PageOf, staff: User) -> None:
    answer = agree(page(staff), credits_lost=0)

    assert "An operator&#x27;s account is not closed here" in answer.content.decode()
    assert not is_closed(staff)


def test_letters_and_notes_on_signing_in_are_forgotten(
    page: PageOf, client: Client, alice: User
) -> None:
    client.post("/password", {"email": alice.email})
    client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    noted = AccessLog.objects.filter(username="alice").exists()

    agree(page(alice))

    assert noted
    assert not AccessLog.objects.filter(username="alice").exists()
    (last,) = Letter.objects.filter(recipient="alice@example.com")
    assert last == letters("account_closed", "alice@example.com").get()


def test_the_operators_history_no_longer_names_them(page: PageOf, staff: User, alice: User) -> None:
    page(staff).post(
        f"/admin/accounts/user/{alice.pk}/password/",
        {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"},
    )
    alice.refresh_from_db()

    agree(page(alice))

    alice.refresh_from_db()
    (noted,) = LogEntry.objects.all()
    assert noted.object_repr == alice.username == f"closed-{alice.pk}"


def note_in_history(staff: User, thing: Any, name: str) -> LogEntry:
    return LogEntry.objects.create(
        user=staff,
        content_type=ContentType.objects.get_for_model(thing),
        object_id=str(thing.pk),
        object_repr=name,
        action_flag=CHANGE,
    )


def test_the_history_from_before_a_new_name_is_cleaned_too(
    page: PageOf, staff: User, alice: User
) -> None:
    note_in_history(staff, alice, "alice-of-before")
    note_in_history(staff, wallet_of(alice.pk), "alice-of-before")

    agree(page(alice))

    shown = set(LogEntry.objects.values_list("object_repr", flat=True))
    assert shown == {f"closed-{alice.pk}"}


def test_the_history_of_what_is_called_the_same_is_kept(
    page: PageOf, staff: User, alice: User, bob: User, published_version: ModelVersion
) -> None:
    namesake = note_in_history(staff, published_version.model, "alice")
    # The same number, another kind of thing; and another person.
    published_version.pk = alice.pk
    others = [note_in_history(staff, thing, "alice") for thing in (published_version, bob)]

    agree(page(alice))

    for entry in [namesake, *others]:
        entry.refresh_from_db()
        assert entry.object_repr == "alice"


def test_nobody_is_warned_of_the_balance_that_went(page: PageOf, alice: User) -> None:
    Wallet.objects.filter(user=alice).update(low_balance_threshold=50)

    agree(page(alice))

    assert wallet_of(alice.pk).low_balance_threshold is None


def test_a_refund_at_the_provider_later_takes_nothing_that_is_not_there(
    page: PageOf, alice: User
) -> None:
    bought = make_pending(alice, "stripe")
    pay_top_up(top_up_id=bought.pk, payment_id="pay_1")
    agree(page(alice), credits_lost=1_005)

    record_reversal(
        provider="stripe", payment_id="pay_1", external_id="re_1", cents=5, is_active=True
    )

    wallet = wallet_of(alice.pk)
    assert is_closed(alice)
    assert (wallet.balance, wallet.shortfall) == (0, 5)
    assert set(run_checks().values()) == {0}


def test_a_top_up_that_began_before_is_refused_after(page: PageOf, alice: User) -> None:
    wallet = wallet_of(alice.pk)
    agree(page(alice))

    with pytest.raises(OwnerDisabled):
        start_top_up(wallet=wallet, amount=5, provider="demo")

    assert wallet_of(alice.pk).balance == 0
