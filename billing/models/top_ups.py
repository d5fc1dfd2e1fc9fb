"""Purchases of credits, and what payment providers took back of them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing.models.ledger import MAX_AMOUNT, Wallet
from mlservice.lib.ids import new_id


class TopUp(models.Model):
    """A purchase of credits through a payment provider; it is paid into the wallet once.

    `cents` of `currency` is what it costs, frozen when it begins. `external_id` is the
    provider's name for the checkout and `payment_id` for the payment itself. `reversed` credits
    were taken back by the provider; `shortfall` of them the balance could not give yet.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        PAID = "paid", _("paid")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="top_ups")
    amount = models.BigIntegerField(_("amount"))
    cents = models.BigIntegerField(_("price in cents"))
    currency = models.CharField(_("currency"), max_length=3)
    provider = models.CharField(_("provider"), max_length=16)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.PENDING
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    external_id = models.CharField(max_length=255, null=True, blank=True, editable=False)  # noqa: DJ001
    payment_id = models.CharField(max_length=255, null=True, blank=True, editable=False)  # noqa: DJ001
    checkout_url = models.TextField(blank=True, editable=False)
    reversed = models.BigIntegerField(_("reversed"), default=0)
    shortfall = models.BigIntegerField(_("shortfall"), default=0)
    idempotency_key = models.CharField(max_length=255, null=True, blank=True, editable=False)  # noqa: DJ001
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"), editable=False)
    resolved_at = models.DateTimeField(_("resolved"), null=True, editable=False)

    class Meta:
        verbose_name = _("top-up")
        verbose_name_plural = _("top-ups")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT), name="top_up_amount_positive"
            ),
            models.CheckConstraint(condition=Q(cents__gte=0), name="top_up_price_not_negative"),
            models.CheckConstraint(
                condition=Q(status="pending") ^ Q(resolved_at__isnull=False),
                name="top_up_resolved_when_not_pending",
            ),
            models.CheckConstraint(
                condition=Q(
                    shortfall__gte=0, reversed__gte=F("shortfall"), reversed__lte=F("amount")
                )
                & (Q(status="paid") | Q(reversed=0)),
                name="top_up_reversed_within_paid",
            ),
            models.UniqueConstraint(
                fields=["wallet", "idempotency_key"], name="top_up_once_for_its_key"
            ),
            models.UniqueConstraint(
                fields=["provider", "external_id"], name="top_up_once_for_its_checkout"
            ),
            models.UniqueConstraint(
                fields=["provider", "payment_id"], name="top_up_once_for_its_payment"
            ),
        ]
        indexes = [
            models.Index(fields=["wallet", "-id"], name="top_up_by_wallet"),
            models.Index(
                fields=["expires_at"], condition=Q(status="pending"), name="top_up_to_expire"
            ),
        ]

    # Set when a repeated request with the same key found this one.
    is_replayed = False

    def __str__(self) -> str:
        return f"{self.amount} ({self.status})"

    @property
    def payable_at(self) -> str:
        """Give the address of the provider's page while it is open, else nothing."""
        return self.checkout_url if self.status == self.Status.PENDING else ""


class PaymentReversal(models.Model):
    """A refund or a dispute at the provider: `cents` of one payment, taken while it is active.

    It may arrive before its payment is known here, so it names the payment, not the top-up.
    """

    external_id = models.CharField(max_length=255, unique=True)
    provider = models.CharField(_("provider"), max_length=16)
    payment_id = models.CharField(max_length=255)
    cents = models.BigIntegerField(_("cents"))
    is_active = models.BooleanField(_("active"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("payment reversal")
        verbose_name_plural = _("payment reversals")
        constraints = [
            models.CheckConstraint(condition=Q(cents__gte=0), name="reversal_cents_not_negative")
        ]
        indexes = [models.Index(fields=["provider", "payment_id"], name="reversal_by_payment")]

    def __str__(self) -> str:
        return self.external_id


class ProviderEvent(models.Model):
    """What a provider reported, kept once by its own name, and what came of it here.

    Its body is not kept: it holds personal data, and the provider shows it under the same name.
    """

    class Outcome(models.TextChoices):
        APPLIED = "applied", _("applied")
        REPEATED = "repeated", _("known already")
        IGNORED = "ignored", _("nothing to do")
        UNKNOWN = "unknown", _("not about a top-up of ours")
        DIFFERS = "differs", _("paid another price: look at it")
        PAID_TWICE = "paid_twice", _("paid twice: give one back")
        REFUSED = "refused", _("could not be applied: look at it")

    external_id = models.CharField(_("event"), max_length=255, unique=True)
    provider = models.CharField(_("provider"), max_length=16)
    kind = models.CharField(_("kind"), max_length=64)
    outcome = models.CharField(
        _("outcome"), max_length=10, choices=Outcome.choices, default=Outcome.REFUSED
    )
    detail = models.CharField(_("detail"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("payment event")
        verbose_name_plural = _("payment events")

    def __str__(self) -> str:
        return f"{self.kind} ({self.outcome})"
