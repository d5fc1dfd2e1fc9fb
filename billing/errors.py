"""What billing refuses."""

from django.utils.translation import gettext_lazy as _

from mlservice.lib.errors import DomainError


class InsufficientCredits(DomainError):
    status = 402
    code = "insufficient_credits"
    title = _("Not enough credits")
    sentence = _(
        "This needs {required} credits and {available} are available. Top up and send it again."
    )


class SpendingCapReached(DomainError):
    status = 402
    code = "spending_cap_reached"
    title = _("The month's spending cap is reached")
    sentence = _(
        "The cap of {cap} credits a month leaves {left}, and this needs {required}. "
        "Raise the cap in the wallet, or wait for the next month."
    )


class WalletFrozen(DomainError):
    status = 402
    code = "wallet_frozen"
    title = _("The wallet is frozen")
    sentence = _("{shortfall} credits of a reversed payment are owed. Top up to cover them.")


class InvalidAmount(DomainError):
    status = 400
    code = "invalid_request"
    title = _("The amount is not valid")


class TooManyPendingTopUps(DomainError):
    status = 409
    code = "too_many_pending_top_ups"
    title = _("Too many top-ups are pending")
    sentence = _(
        "{pending} top-ups of this wallet are pending. Finish one, or wait for its expiry."
    )


class ReasonMissing(DomainError):
    status = 400
    code = "invalid_request"
    title = _("Say why: a reason is required")
    sentence = _("Say why: the reason stands beside the entry for good.")


class ProviderUnknown(DomainError):
    status = 400
    code = "invalid_request"
    title = _("There is no such top-up provider")


class PaymentProviderAway(DomainError):
    status = 503
    code = "unavailable"
    title = _("The payment provider does not answer")
    retry_after_seconds = 5


class ProviderDecides(DomainError):
    status = 409
    code = "provider_decides"
    title = _("This payment is not the operator's to decide")


class UnsignedEvent(DomainError):
    status = 400
    code = "invalid_request"
    title = "The signature does not fit"


class TopUpAlreadyResolved(DomainError):
    status = 409
    code = "already_finished"
    title = _("This top-up is resolved already")


class AlreadyApplied(DomainError):
    status = 409
    code = "already_finished"
    title = _("This was done already")


class BalanceTooLow(DomainError):
    status = 409
    code = "balance_too_low"
    title = _("The correction takes more than is available")
    sentence = _("{available} credits are available, so {wanted} cannot be taken.")


class BalanceTooHigh(DomainError):
    status = 409
    code = "balance_too_high"
    title = _("The wallet cannot hold so many credits")
    sentence = _("A wallet holds at most {most} credits.")


class OwnerDisabled(DomainError):
    status = 403
    code = "forbidden"
    title = _("This account is disabled")
    sentence = _("This account is disabled. Ask the operator.")


class WorkUnderWay(DomainError):
    status = 409
    code = "work_under_way"
    title = _("Predictions are under way")
    sentence = _(
        "{held} credits are held for predictions under way. Wait until they end, or cancel them."
    )


class PaymentOpen(DomainError):
    status = 409
    code = "payment_open"
    title = _("A card payment is open")
    sentence = _("Finish the card payment that is open, or wait until it expires.")


class BalanceChanged(DomainError):
    status = 409
    code = "balance_changed"
    title = _("The balance has changed")
    sentence = _("{available} credits are available now. Look at the amount again.")


class RefundTooLarge(DomainError):
    status = 409
    code = "refund_too_large"
    title = _("More than was charged cannot be given back")
    sentence = _("{captured} credits were charged; at most that can be given back.")


class SecondOperatorNeeded(DomainError):
    status = 403
    code = "forbidden"
    title = _("Another operator must decide this")


class NotSignedIn(DomainError):
    status = 401
    code = "unauthenticated"
    title = _("Sign in first: nobody has no wallet")
