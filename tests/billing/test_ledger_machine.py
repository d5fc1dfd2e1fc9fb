"""Whatever is done to several wallets in whatever order, the services say what arithmetic says."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis.stateful import run_state_machine_as_test

from accounts.models import User
from ml_models.models import ModelVersion
from tests.billing.ledger_machine import MOST_ALONE, Ledger


@pytest.mark.django_db(transaction=True)
def test_the_services_agree_with_arithmetic(
    pytestconfig: pytest.Config, published_version: ModelVersion, settings: Any
) -> None:
    settings.ADJUSTMENT_ALONE_CREDITS = MOST_ALONE
    settings.MAX_PENDING_TOP_UPS = 5
    # The machine sets these two, and they are put back with the rest.
    settings.SIGNUP_CREDITS = settings.CREDIT_PRICE_CENTS = 0
    people = [User.objects.create_user(f"{n}", f"{n}@example.com") for n in range(5)]
    Ledger.users, Ledger.staff = [one.pk for one in people[:3]], [one.pk for one in people[3:]]
    Ledger.version = published_version

    run_state_machine_as_test(Ledger, settings=chosen_profile(pytestconfig))


def chosen_profile(config: pytest.Config) -> profile:
    """Take the same examples in every run, unless more of them are asked for than usual."""
    examples = config.getoption("--ledger-examples")
    shorten = [] if config.getoption("--ledger-as-found") else [Phase.shrink]
    return profile(
        phases=[Phase.generate, *shorten],
        max_examples=examples or 200,
        stateful_step_count=config.getoption("--ledger-steps"),
        derandomize=examples is None,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
