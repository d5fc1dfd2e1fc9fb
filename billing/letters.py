"""The only place that words letters about money; each is queued in the transaction it tells of."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.urls import reverse

from billing.models import ProviderEvent, TopUp, Wallet
from mlservice.lib.mail.models import Letter
from mlservice.lib.mail.outbox import queue_letters, write_letter

MAY_DECIDE = "billing.change_topup"
MAY_SEE_EVENTS = "billing.view_providerevent"
PERMISSIONS = "django.contrib.auth.backends.ModelBackend"


def tell_operators(top_up: TopUp) -> None:
    """Write to every operator who may decide it that a top-up waits."""
    link = reverse("admin:billing_topup_changelist") + "?status__exact=pending"
    queue_letters(
        _letter(person, "top_up_waits", event=top_up.pk, link=link, top_up=top_up)
        for person in _operators(MAY_DECIDE)
    )


def tell_operators_of_event(row: ProviderEvent) -> None:
    """Write to every operator who may see it that a payment event needs a person."""
    link = reverse("admin:billing_providerevent_change", args=[row.pk])
    queue_letters(
        _letter(person, "payment_event", event=row.pk, link=link, row=row)
        for person in _operators(MAY_SEE_EVENTS)
    )


def _operators(permission: str) -> Any:
    """Find those at the operators' desk who may do a thing and have an address."""
    people = get_user_model().objects.with_perm(permission, backend=PERMISSIONS)
    return people.filter(is_staff=True).exclude(email="")


def tell_client(top_up: TopUp, template: str) -> None:
    """Write to the client how an operator decided the top-up."""
    person = top_up.wallet.user
    if person.email:
        link = reverse("top_up_page", args=[top_up.pk])
        queue_letters([_letter(person, template, event=top_up.pk, link=link, top_up=top_up)])


def tell_low_balances(wallets: Iterable[Wallet]) -> None:
    """Write to the owners of wallets whose balance fell; the time of the crossing tells them."""
    link = reverse("top_up")
    queue_letters(
        _letter(
            wallet.user,
            "low_balance",
            event=f"{wallet.pk}:{wallet.low_balance_told_at}",
            link=link,
            wallet=wallet,
        )
        for wallet in wallets
        if wallet.user.email
    )


def _letter(person: Any, template: str, *, event: object, link: str, **context: object) -> Letter:
    """Word a letter in the person's language; `event` says which one of its kind it tells of."""
    return write_letter(
        event=f"{template}:{event}",
        recipient=person.email,
        language=person.language,
        template=template,
        context={**context, "reader": person, "link": f"{settings.SITE_URL}{link}"},
    )
