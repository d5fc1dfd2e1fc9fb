"""What a prediction would cost, before anything is sent or held: reads only."""

from dataclasses import dataclass
from typing import Any

import msgspec
from django.conf import settings

from billing.selectors import spendable
from billing.services import wallet_of
from ml_models.models import ModelVersion
from ml_models.selectors import check_rows, find_serving_version
from predictions.submitting import as_rows


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of some rows for one user. Amounts in credits; `sufficient` says it would start."""

    rows_total: int
    rows_valid: int
    errors: list[dict[str, Any]]
    price: int
    cost: int
    available: int
    sufficient: bool

    @property
    def balance_after(self) -> int:
        return self.available - self.cost


def quote(
    *,
    user_id: int | None,
    model: str,
    version: int | None = None,
    input: Any,
    explain: bool = False,
) -> Quote:
    """Check rows and price them, writing nothing.

    input: one row (object) or a list of 1 to 1,000 rows. Rows that do not fit are listed in
    `errors` and cost nothing. Raise ModelNotFound, VersionRetired, VersionBroken,
    ExplanationsNotOffered or TooManyRows.
    """
    return quote_rows(
        user_id=user_id,
        version=find_serving_version(slug=model, number=version, user_id=user_id),
        rows=as_rows(input),
        explain=explain,
    )


def quote_rows(
    *, user_id: int | None, version: ModelVersion, rows: list[Any], explain: bool = False
) -> Quote:
    """Price rows for a version that was found already."""
    price = version.price_of_row(explain=explain)
    checked = check_rows(version=version, rows=rows)
    wallet = wallet_of(user_id)
    cost = checked.valid * price
    errors = [
        {"index": index, **msgspec.to_builtins(error)}
        for index, found in checked.errors.items()
        for error in found
    ]
    return Quote(
        rows_total=checked.total,
        rows_valid=checked.valid,
        errors=errors[: settings.PREDICTION_MAX_ERRORS],
        price=price,
        cost=cost,
        available=wallet.available,
        sufficient=0 < cost <= spendable(wallet),
    )
