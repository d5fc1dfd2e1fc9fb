"""Money at rest: wallets, holds, ledger entries and top-ups, guarded by the database itself.

Amounts are whole credits (BIGINT). Every foreign key is PROTECT: what money touched stays.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from mlservice.lib.ids import new_id

MAX_AMOUNT = 2**53 - 1


class Wallet(models.Model):
    """A user's prepaid credits: `held` of the `balance` is reserved for accepted work."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="wallet", verbose_name=_("user")
    )
    balance = models.BigIntegerField(_("balance"), default=0)
    held = models.BigIntegerField(_("held"), default=0)

    class Meta:
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")
        constraints = [
            models.CheckConstraint(
                condition=Q(held__gte=0, held__lte=F("balance")),
                name="wallet_held_within_balance",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}"

    @property
    def available(self) -> int:
        return self.balance - self.held


class Hold(models.Model):
    """Credits reserved for one piece of work; it resolves once, captured or released."""

    class Status(models.TextChoices):
        HELD = "held", _("held")
        CAPTURED = "captured", _("captured")
        RELEASED = "released", _("released")

    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="holds")
    amount = models.BigIntegerField(_("amount"))
    captured = models.BigIntegerField(_("captured"), default=0)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.HELD
    )
    reference_type = models.CharField(max_length=16)
    reference_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    resolved_at = models.DateTimeField(_("resolved"), null=True, editable=False)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="hold_amount_positive"),
            models.CheckConstraint(
                condition=Q(status="captured", captured__gt=0, captured__lte=F("amount"))
                | Q(status__in=["held", "released"], captured=0),
                name="hold_captures_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(status="held") ^ Q(resolved_at__isnull=False),
                name="hold_resolved_when_not_held",
            ),
            models.UniqueConstraint(
                fields=["reference_type", "reference_id"], name="hold_once_for_its_reference"
            ),
        ]
        indexes = [
            models.Index(fields=["wallet"], condition=Q(status="held"), name="hold_open_by_wallet")
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.status})"


class TopUp(models.Model):
    """A purchase of credits through a payment provider; it is paid into the wallet once."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        PAID = "paid", _("paid")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="top_ups")
    amount = models.BigIntegerField(_("amount"))
    provider = models.CharField(_("provider"), max_length=16)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.PENDING
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    resolved_at = models.DateTimeField(_("resolved"), null=True, editable=False)

    class Meta:
        verbose_name = _("top-up")
        verbose_name_plural = _("top-ups")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT), name="top_up_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(status="pending") ^ Q(resolved_at__isnull=False),
                name="top_up_resolved_when_not_pending",
            ),
        ]
        indexes = [models.Index(fields=["wallet", "-id"], name="top_up_by_wallet")]

    def __str__(self) -> str:
        return f"{self.amount} ({self.status})"


class LedgerEntry(models.Model):
    """One signed movement of a balance, never changed: a trigger refuses UPDATE and DELETE.

    Entries of a wallet are ordered by id; `balance_after` is the balance right after this one.
    """

    class Kind(models.TextChoices):
        TOP_UP = "top_up", _("top-up")
        GRANT = "grant", _("grant")
        CAPTURE = "capture", _("prediction")
        REFUND = "refund", _("refund")
        CORRECTION = "correction", _("correction")
        REVERSAL = "reversal", _("reversal")

    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="entries")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    amount = models.BigIntegerField(_("amount"))
    balance_after = models.BigIntegerField(_("balance after"))
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    reference_type = models.CharField(max_length=16)
    reference_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["top_up", "grant", "refund"], amount__gt=0)
                | Q(kind__in=["capture", "reversal"], amount__lt=0)
                | (Q(kind="correction") & ~Q(amount=0)),
                name="ledger_entry_sign_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(balance_after__gte=0), name="ledger_entry_balance_not_negative"
            ),
            models.UniqueConstraint(
                fields=["kind", "reference_type", "reference_id"],
                condition=Q(kind__in=["top_up", "capture"]) | Q(reference_type="sign_up"),
                name="ledger_entry_applies_once",
            ),
        ]
        indexes = [models.Index(fields=["wallet", "-id"], name="ledger_entry_by_wallet")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+d}"

    @property
    def reference(self) -> dict[str, Any]:
        return {"type": self.reference_type, "id": self.reference_id}
