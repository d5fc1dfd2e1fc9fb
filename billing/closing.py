"""The only place that empties a wallet for good, when its owner leaves."""

from django.db import transaction
from django.db.models import QuerySet

from billing.errors import BalanceChanged, PaymentOpen, WalletFrozen, WorkUnderWay
from billing.low_balance import set_low_balance_threshold
from billing.models import TopUp, Wallet
from billing.services import correct, lock_wallet, reject_top_up
from mlservice.lib.ids import new_id

WITHDRAWN = "The account was closed"


def close_wallet(*, wallet_id: int, credits_lost: int, actor_id: int) -> None:
    """Withdraw what waits for an operator and remove the credits that the owner gives up.

    The lock lasts until the caller's transaction ends, so that no work begins meanwhile. Raise
    WorkUnderWay, PaymentOpen or WalletFrozen, and BalanceChanged when the owner agreed to
    another amount; nothing is changed then.
    """
    with transaction.atomic():
        wallet = lock_wallet(wallet_id=wallet_id)
        check_at_rest(wallet)
        if wallet.available != credits_lost:
            raise BalanceChanged(available=wallet.available)
        for top_up_id in pending(wallet).values_list("pk", flat=True):
            reject_top_up(top_up_id=top_up_id, note=WITHDRAWN, actor_id=actor_id)
        # Nobody is left to be warned of the balance that falls now.
        set_low_balance_threshold(wallet_id=wallet_id, threshold=None)
        if credits_lost:
            correct(
                wallet_id=wallet_id,
                amount=-credits_lost,
                reason=WITHDRAWN,
                actor_id=actor_id,
                adjustment_id=new_id(),
            )


def check_at_rest(wallet: Wallet) -> None:
    """Raise unless no credit of the wallet is about to come, to go or to be given back."""
    if wallet.held:
        raise WorkUnderWay(held=wallet.held)
    if wallet.is_frozen:
        raise WalletFrozen(shortfall=wallet.shortfall)
    # What an operator decides can be withdrawn; a card may be charged at any moment.
    if pending(wallet).exclude(provider="manual").exists():
        raise PaymentOpen


def pending(wallet: Wallet) -> QuerySet[TopUp]:
    return wallet.top_ups.filter(status=TopUp.Status.PENDING)
