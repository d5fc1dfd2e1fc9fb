"""A price is read as it is charged, or the service does not start."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mlservice.lib.currencies import THREE_DECIMALS, ZERO_DECIMALS, check_currency


@pytest.mark.parametrize(
    "code", ["USD", "EUR", "RUB", "HUF", "TWD", *sorted(ZERO_DECIMALS | THREE_DECIMALS)]
)
def test_a_currency_that_is_written_as_it_is_charged_is_taken(code: str) -> None:
    check_currency(code)


@pytest.mark.parametrize("code", ["ISK", "UGX", "RSD", "ALL", "LBP", "IQD"])
def test_a_currency_that_is_written_otherwise_is_refused_with_what_to_do(code: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"CURRENCY={code} .*Choose a currency"):
        check_currency(code)


def test_the_service_does_not_start_with_such_a_currency() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mlservice.settings"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"CURRENCY": "isk"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "CURRENCY=ISK is charged by Stripe with 2 decimals" in done.stderr
