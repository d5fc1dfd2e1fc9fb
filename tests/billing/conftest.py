"""Card payments for tests: a stand-in for Stripe on this machine, and the keys for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing.providers import stripe as card
from tests.billing.stripe_stub import API_KEY, SECRET, StripeStub, running_stub


@pytest.fixture
def stripe_stub(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeStub]:
    settings.STRIPE_API_KEY, settings.STRIPE_WEBHOOK_SECRET = API_KEY, SECRET
    settings.TOP_UP_PROVIDERS = ["demo", "stripe", "manual"]
    with running_stub() as stub:
        monkeypatch.setattr(card, "client", stub.client)
        yield stub
