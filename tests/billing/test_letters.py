"""What people are written about their top-ups: to whom, in which language, and once."""

import pytest
from django.contrib.auth.models import Permission
from django.core import mail

from accounts.models import User
from billing.errors import BalanceTooHigh, ReasonMissing, TopUpAlreadyResolved
from billing.models import MAX_AMOUNT, TopUp, Wallet
from billing.services import wallet_of
from billing.top_ups import approve_top_up, decline_top_up, start_top_up
from mlservice.lib.idempotency import IdempotencyKey
from mlservice.lib.mail.models import Letter
from mlservice.lib.mail.outbox import send_letters
from tests.conftest import make_user

pytestmark = pytest.mark.django_db

SITE = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def site(settings):
    settings.SITE_URL = SITE


def make_pending(user: User, *, amount: int = 1_500) -> TopUp:
    return start_top_up(wallet=wallet_of(user.pk), amount=amount, provider="manual")


def speak_russian(user: User) -> None:
    User.objects.filter(pk=user.pk).update(language="ru")


def only_letter() -> tuple[str, list[str], str]:
    send_letters()
    (message,) = mail.outbox
    return str(message.subject), message.to, str(message.body)


def test_operators_who_may_decide_are_told_of_a_top_up_that_waits(alice: User) -> None:
    decides = make_user("decides", is_staff=True)
    decides.user_permissions.set(Permission.objects.filter(codename="change_topup"))
    looks = make_user("looks", is_staff=True)
    looks.user_permissions.set(Permission.objects.filter(codename="view_topup"))
    make_user("chief", is_staff=True, is_superuser=True)
    make_user("gone", is_staff=True, is_superuser=True, is_active=False)
    make_user("nobody", is_staff=False).user_permissions.set(
        Permission.objects.filter(codename="change_topup")
    )
    nameless = make_user("nameless", is_staff=True, is_superuser=True)
    User.objects.filter(pk=nameless.pk).update(email="")

    make_pending(alice)
    send_letters()

    told = sorted(message.to[0] for message in mail.outbox)
    assert told == ["chief@example.com", "decides@example.com"]
    body = str(mail.outbox[0].body)
    assert "alice asks for 1,500 credits" in body
    assert f"{SITE}/admin/billing/topup/?status__exact=pending" in body


def test_each_operator_is_written_in_their_own_language(alice: User, staff: User) -> None:
    speak_russian(staff)

    make_pending(alice, amount=21)

    subject, to, body = only_letter()
    assert (subject, to) == ("Пополнение на 21 кредит ждёт вас", ["operator@example.com"])
    assert "alice просит 21 кредит и ждёт решения оператора." in body


def test_a_top_up_paid_at_once_is_nobodys_decision(alice: User, staff: User) -> None:
    start_top_up(wallet=wallet_of(alice.pk), amount=5, provider="demo")

    assert not Letter.objects.exists()


def test_a_repeated_request_tells_operators_once(alice: User, staff: User) -> None:
    key = IdempotencyKey(value="one", fingerprint="same")
    for _ in range(2):
        start_top_up(wallet=wallet_of(alice.pk), amount=5, provider="manual", key=key)

    assert Letter.objects.count() == 1


def test_the_client_is_told_of_an_approval_with_note_and_link(alice: User, staff: User) -> None:
    top_up = make_pending(alice)
    Letter.objects.all().delete()

    approve_top_up(top_up_id=top_up.pk, note="Paid <today> & thanks", actor_id=staff.pk)

    subject, to, body = only_letter()
    assert (subject, to) == ("1,500 credits are in your wallet", ["alice@example.com"])
    assert "your top-up of 1,500 credits is approved" in body
    assert "The operator's note: Paid <today> & thanks" in body
    assert f"{SITE}/wallet/top-ups/{top_up.pk}\n" in body


def test_an_approval_without_a_note_mentions_none(alice: User, staff: User) -> None:
    top_up = make_pending(alice)
    Letter.objects.all().delete()

    approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)

    assert "note" not in only_letter()[2]


def test_a_rejection_reaches_a_russian_client_in_russian(alice: User, staff: User) -> None:
    speak_russian(alice)
    top_up = make_pending(alice, amount=2)
    Letter.objects.all().delete()

    decline_top_up(top_up_id=top_up.pk, note="Оплата не поступила", actor_id=staff.pk)

    subject, to, body = only_letter()
    assert (subject, to) == ("Пополнение на 2 кредита не одобрено", ["alice@example.com"])
    assert "Здравствуйте, alice!" in body
    assert "Примечание оператора: Оплата не поступила" in body
    assert f"{SITE}/wallet/top-ups/{top_up.pk}\n" in body


def test_an_approval_reaches_a_russian_client_in_russian(alice: User, staff: User) -> None:
    speak_russian(alice)
    top_up = make_pending(alice, amount=5)
    Letter.objects.all().delete()

    approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)

    subject, _, body = only_letter()
    assert subject == "5 кредитов на вашем кошельке"
    assert "Ваше пополнение на 5 кредитов одобрено." in body


def test_a_rejection_is_told_in_english(alice: User, staff: User) -> None:
    top_up = make_pending(alice, amount=1)
    Letter.objects.all().delete()

    decline_top_up(top_up_id=top_up.pk, note="No money came", actor_id=staff.pk)

    subject, _, body = only_letter()
    assert subject == "Your top-up of 1 credit was not approved"
    assert "The operator's note: No money came" in body


def test_a_decision_that_is_repeated_is_told_once(alice: User, staff: User) -> None:
    top_up = make_pending(alice)
    Letter.objects.all().delete()
    approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)

    with pytest.raises(TopUpAlreadyResolved):
        approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)
    with pytest.raises(TopUpAlreadyResolved):
        decline_top_up(top_up_id=top_up.pk, note="Too late", actor_id=staff.pk)

    assert Letter.objects.count() == 1


def test_a_payment_that_rolls_back_is_not_told(alice: User, staff: User) -> None:
    top_up = make_pending(alice)
    Letter.objects.all().delete()
    Wallet.objects.filter(user=alice).update(balance=MAX_AMOUNT)

    with pytest.raises(BalanceTooHigh):
        approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)

    top_up.refresh_from_db()
    assert top_up.status == TopUp.Status.PENDING
    assert not Letter.objects.exists()


def test_a_rejection_without_a_reason_is_refused(alice: User, staff: User) -> None:
    top_up = make_pending(alice)

    with pytest.raises(ReasonMissing):
        decline_top_up(top_up_id=top_up.pk, note="  ", actor_id=staff.pk)

    top_up.refresh_from_db()
    assert top_up.status == TopUp.Status.PENDING


def test_a_client_without_an_address_is_paid_all_the_same(alice: User, staff: User) -> None:
    top_up = make_pending(alice)
    Letter.objects.all().delete()
    User.objects.filter(pk=alice.pk).update(email="")

    approve_top_up(top_up_id=top_up.pk, note="", actor_id=staff.pk)

    assert not Letter.objects.exists()
    assert wallet_of(alice.pk).balance == 2_500
