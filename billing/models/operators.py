"""What operators decide and see: adjustments that wait for a second pair of eyes, audits."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing.models.ledger import MAX_AMOUNT, Hold, LedgerEntry, Wallet
from mlservice.lib.ids import new_id


class PendingAdjustment(models.Model):
    """A grant, correction or refund too large for one operator; another one decides it once."""

    class Kind(models.TextChoices):
        GRANT = LedgerEntry.Kind.GRANT.value, _("grant")
        CORRECTION = LedgerEntry.Kind.CORRECTION.value, _("correction")
        REFUND = LedgerEntry.Kind.REFUND.value, _("refund")

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="adjustments")
    hold = models.ForeignKey(Hold, models.PROTECT, null=True, blank=True, related_name="+")
    amount = models.BigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=200)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.PENDING
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("requested by")
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)

    class Meta:
        verbose_name = _("pending adjustment")
        verbose_name_plural = _("pending adjustments")
        constraints = [
            models.CheckConstraint(
                condition=(Q(kind__in=["grant", "refund"], amount__gt=0) | Q(kind="correction"))
                & ~Q(amount=0)
                & Q(amount__gte=-MAX_AMOUNT, amount__lte=MAX_AMOUNT),
                name="adjustment_sign_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind="refund") ^ Q(hold__isnull=True),
                name="adjustment_refunds_a_hold",
            ),
            models.CheckConstraint(
                condition=Q(status="pending", decided_at__isnull=True, decided_by__isnull=True)
                | Q(
                    status__in=["approved", "rejected"],
                    decided_at__isnull=False,
                    decided_by__isnull=False,
                ),
                name="adjustment_decided_when_not_pending",
            ),
            models.CheckConstraint(
                condition=~Q(status="approved", decided_by=F("requested_by")),
                name="adjustment_needs_two_operators",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+d} ({self.status})"


class AuditRun(models.Model):
    """One audit of the books: how many rows broke each rule, all zeros when they agree."""

    counts = models.JSONField(_("rows that break each rule"))
    seconds = models.FloatField(_("seconds"))
    finished_at = models.DateTimeField(_("finished"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("audit")
        verbose_name_plural = _("audits")
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"{self.finished_at:%Y-%m-%d %H:%M}"

    @property
    def drift(self) -> int:
        """Count the rows that break any rule."""
        return sum(self.counts.values())
