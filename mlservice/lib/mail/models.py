"""Mail at rest: a letter is written in the transaction it tells of, and sent later by a duty."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# With the pauses between them this is about a day of trying.
MAX_ATTEMPTS = 12


class LetterQuerySet(models.QuerySet["Letter"]):
    def unsent(self) -> "LetterQuerySet":
        return self.filter(sent_at__isnull=True)

    def due(self) -> "LetterQuerySet":
        """Give what may be sent now: not given up, and in nobody's hands."""
        return self.unsent().filter(attempts__lt=MAX_ATTEMPTS, due_at__lte=Now())


class Letter(models.Model):
    """A mail to one recipient; the same event is told to the same recipient once.

    `due_at` is when it may be tried next: while a sender has it in hand, that is the end of
    its lease. A letter given up keeps its `error` until an operator sends it again.
    """

    event = models.CharField(_("event"), max_length=120)
    recipient = models.EmailField(_("recipient"))
    subject = models.CharField(_("subject"), max_length=200)
    body = models.TextField(_("text"))
    attempts = models.SmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    due_at = models.DateTimeField(_("due"), db_default=Now(), editable=False)
    sent_at = models.DateTimeField(_("sent"), null=True, editable=False)

    objects = LetterQuerySet.as_manager()

    class Meta:
        verbose_name = _("letter")
        verbose_name_plural = _("letters")
        constraints = [
            models.UniqueConstraint(
                fields=["event", "recipient"], name="letter_once_for_its_event"
            ),
        ]
        indexes = [
            models.Index(F("due_at"), condition=Q(sent_at__isnull=True), name="letter_to_send"),
            models.Index(F("sent_at"), condition=Q(sent_at__isnull=False), name="letter_to_prune"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"
