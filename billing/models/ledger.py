"""Money at rest: wallets, holds and ledger entries, guarded by the database itself.

Amounts are whole credits (BIGINT). Every foreign key is PROTECT: what money touched stays.
"""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# The largest whole number that every JSON reader keeps exactly.
MAX_AMOUNT = 2**53 - 1


class Wallet(models.Model):
    """A user's prepaid credits: `held` of the `balance` is reserved for accepted work.

    `shortfall` is what payment reversals took back and the balance could not give; while it
    stands, the wallet is frozen: no new holds. `spending_cap` limits a calendar month (UTC).
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="wallet", verbose_name=_("user")
    )
    balance = models.BigIntegerField(_("balance"), default=0)
    held = models.BigIntegerField(_("held"), default=0)
    shortfall = models.BigIntegerField(_("shortfall"), default=0)
    spending_cap = models.BigIntegerField(_("monthly spending cap"), null=True, blank=True)
    low_balance_threshold = models.BigIntegerField(
        _("low balance threshold"), null=True, blank=True
    )
    # Both are cleared when the balance recovers, so that each crossing is told once.
    low_balance_told_at = models.DateTimeField(null=True, editable=False)
    low_balance_seen_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("wallet")
        verbose_name_plural = _("wallets")
        constraints = [
            models.CheckConstraint(
                condition=Q(held__gte=0, held__lte=F("balance")),
                name="wallet_held_within_balance",
            ),
            models.CheckConstraint(
                condition=Q(balance__lte=MAX_AMOUNT), name="wallet_balance_fits_json"
            ),
            models.CheckConstraint(
                condition=Q(shortfall__gte=0), name="wallet_shortfall_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(spending_cap__gte=0), name="wallet_spending_cap_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(low_balance_threshold__gt=0),
                name="wallet_low_balance_threshold_positive",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(low_balance_threshold__isnull=False),
                name="wallet_with_threshold",
            ),
            models.Index(fields=["id"], condition=Q(shortfall__gt=0), name="wallet_frozen"),
        ]

    def __str__(self) -> str:
        return f"{self.user}"

    @property
    def available(self) -> int:
        return self.balance - self.held

    @property
    def is_frozen(self) -> bool:
        return self.shortfall > 0

    @property
    def shows_low_balance(self) -> bool:
        """Say whether the warning of this crossing was given and not dismissed yet."""
        if self.low_balance_told_at is None or self.low_balance_seen_at is not None:
            return False
        return self.low_balance_threshold is not None and self.balance < self.low_balance_threshold


class Hold(models.Model):
    """Credits reserved for one piece of work; it resolves once, captured or released.

    An operator may give back up to what was captured, once: that is `refunded`.
    """

    class Status(models.TextChoices):
        HELD = "held", _("held")
        CAPTURED = "captured", _("captured")
        RELEASED = "released", _("released")

    # Nobody asks for all holds of a wallet, and of the open ones there are few.
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="holds", db_index=False)
    amount = models.BigIntegerField(_("amount"))
    captured = models.BigIntegerField(_("captured"), default=0)
    refunded = models.BigIntegerField(_("refunded"), default=0)
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
                condition=Q(refunded__gte=0, refunded__lte=F("captured")),
                name="hold_refunded_within_captured",
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


class LedgerEntry(models.Model):
    """One signed movement of a balance, never changed: a trigger refuses UPDATE and DELETE.

    Entries of a wallet are ordered by id; `balance_after` is the balance right after this one.
    One `reference` has one entry of a kind, but for reversals, which may come in parts and,
    when a dispute is won, go back (then they are positive).
    """

    class Kind(models.TextChoices):
        TOP_UP = "top_up", _("top-up")
        GRANT = "grant", _("grant")
        CAPTURE = "capture", _("prediction")
        REFUND = "refund", _("refund")
        CORRECTION = "correction", _("correction")
        REVERSAL = "reversal", _("reversal")

    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="entries", db_index=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    amount = models.BigIntegerField(_("amount"))
    balance_after = models.BigIntegerField(_("balance after"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", db_index=False
    )
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
                | Q(kind="capture", amount__lt=0)
                | (Q(kind__in=["correction", "reversal"]) & ~Q(amount=0)),
                name="ledger_entry_sign_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(balance_after__gte=0), name="ledger_entry_balance_not_negative"
            ),
            models.UniqueConstraint(
                fields=["kind", "reference_type", "reference_id"],
                condition=~Q(kind="reversal"),
                name="ledger_entry_applies_once",
            ),
        ]
        indexes = [
            # What a statement adds up is read from the index alone.
            models.Index(
                fields=["wallet", "id"], include=["kind", "amount"], name="ledger_entry_by_wallet"
            ),
            models.Index(fields=["wallet", "created_at", "id"], name="ledger_entry_by_time"),
            # One in forty: what is left tells the charges, see `billing.selectors.CHARGED`.
            models.Index(
                fields=["wallet", "id"],
                include=["kind", "amount"],
                condition=~Q(kind="capture"),
                name="ledger_entry_beside_charges",
            ),
            models.Index(
                fields=["actor"], condition=Q(actor__isnull=False), name="ledger_entry_by_actor"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+d}"

    @property
    def reference(self) -> dict[str, Any]:
        return {"type": self.reference_type, "id": self.reference_id}
