"""Who takes the money of a top-up: the one list of payment providers, and what each must offer."""

from typing import Any, Protocol

from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.errors import ProviderUnknown
from billing.models import TopUp
from billing.providers.demo import Demo
from billing.providers.manual import Manual
from billing.providers.stripe import Stripe


class Provider(Protocol):
    """One way to pay. `title` is what a client reads when choosing, `what_next` what follows."""

    title: Any
    what_next: Any

    def accept(self, top_up: TopUp) -> None:
        """Act inside the transaction that makes the top-up: never talk to the outside here."""

    def open_checkout(self, top_up: TopUp) -> None:
        """Act after its commit, and again when a repeated request finds it still pending."""


PROVIDERS: dict[str, Provider] = {"demo": Demo(), "manual": Manual(), "stripe": Stripe()}


def enabled() -> dict[str, Provider]:
    """Give the providers that the settings name, the first one being the default."""
    return {name: PROVIDERS[name] for name in settings.TOP_UP_PROVIDERS}


def what_next(top_up: TopUp) -> Any:
    """Say what a top-up waits for, nothing once it has ended."""
    if top_up.status != TopUp.Status.PENDING or top_up.provider not in PROVIDERS:
        return ""
    return PROVIDERS[top_up.provider].what_next


def check_provider(name: str) -> str:
    """Give the provider that is meant, the first one when none is named.

    Raise ProviderUnknown for one that is not enabled.
    """
    names = list(enabled())
    name = name or names[0]
    if name not in names:
        refusal = _("There is no provider {name}; choose one of: {names}.")
        raise ProviderUnknown(format_lazy(refusal, name=repr(name), names=", ".join(names)))
    return name
