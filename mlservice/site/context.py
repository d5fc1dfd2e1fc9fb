"""What every template knows: the user's wallet, the theme, the version, whether this is a demo."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from billing.services import wallet_of
from mlservice.lib.ids import new_id
from mlservice.site.theme import theme_of


def site(request: HttpRequest) -> dict[str, Any]:
    """Offer `wallet` unread: only a template that shows it costs a query."""
    return {
        "wallet": SimpleLazyObject(lambda: wallet_of(request.user.pk)),
        # A form shown again after a refusal is still the same form.
        "form_nonce": request.POST.get("nonce") or new_id(),
        "theme": theme_of(request),
        "version": settings.VERSION,
        "demo_mode": settings.DEMO_MODE,
    }
