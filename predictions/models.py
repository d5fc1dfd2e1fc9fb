"""A prediction at rest: it is the outbox, the work item and the result in one row."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.models import Hold
from ml_models.models import ModelVersion
from mlservice.lib.ids import first_id_at, new_id

# Ids are made by the web's clock and `created_at` by the database's; they are never further apart.
CLOCKS_APART = timedelta(hours=1)


class PredictionQuerySet(models.QuerySet["Prediction"]):
    def for_user(self, user: Any) -> "PredictionQuerySet":
        return self.filter(user=user)

    def newest_first(self) -> "PredictionQuerySet":
        return self.order_by("-id")

    def sent_since(self, moment: datetime) -> "PredictionQuerySet":
        """Take what was sent from a moment on: ids sort by time, so an index finds the range."""
        return self.filter(pk__gte=first_id_at(moment - CLOCKS_APART), created_at__gte=moment)

    def sent_before(self, moment: datetime) -> "PredictionQuerySet":
        return self.filter(pk__lt=first_id_at(moment + CLOCKS_APART), created_at__lt=moment)

    def waiting(self) -> "PredictionQuerySet":
        """Take what no worker has begun, by two partial indexes; the status alone has none."""
        unpublished = Q(status=Prediction.Status.STARTING, published_at__isnull=True)
        published = Q(status=Prediction.Status.STARTING, published_at__isnull=False)
        return self.filter(unpublished | published)

    def with_version(self) -> "PredictionQuerySet":
        return self.select_related("version__model", "hold")

    def of_lane(self, *, is_bulk: bool) -> "PredictionQuerySet":
        large = Q(rows_total__gt=settings.PREDICTION_BULK_ROWS)
        return self.filter(large if is_bulk else ~large)

    def without_rows(self) -> "PredictionQuerySet":
        return self.with_version().defer("input", "output", "version__input_schema")


# What a hold says that it is for, beside the prediction's id.
HELD_FOR = "prediction"


class Prediction(models.Model):
    """Rows sent by a user to one model version, and what became of them.

    `input` and `output` are JSON text: the input as it was sent, the output one entry per
    row. `price` is credits per predicted row, frozen at acceptance; `cost` is what was
    charged. `attempt` counts claims; whoever holds the current attempt may settle.
    `claimed_by` names the node and the process of its child. Past its `deadline` it ends
    canceled.
    """

    class Status(models.TextChoices):
        STARTING = "starting", _("starting")
        PROCESSING = "processing", _("processing")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        CANCELED = "canceled", _("canceled")

    class Source(models.TextChoices):
        API = "api", _("API")
        WEB = "web", _("web")
        ADMIN = "admin", _("admin")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # An index has four entries of each prediction, one a state: `prediction_by_user` will do.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="predictions", db_index=False
    )
    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="predictions")
    hold = models.OneToOneField(Hold, models.PROTECT, related_name="prediction")
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.STARTING
    )
    source = models.CharField(_("source"), max_length=5, choices=Source.choices)
    input = models.TextField(_("input"))
    # Null until it is done: an empty text would be an output too.
    output = models.TextField(_("output"), null=True)  # noqa: DJ001
    error = models.TextField(_("error"), blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    rows_total = models.PositiveIntegerField(_("rows"))
    rows_valid = models.PositiveIntegerField(_("valid rows"))
    price = models.BigIntegerField(_("price per row"))
    explain = models.BooleanField(_("explained"), default=False, db_default=False)
    cost = models.BigIntegerField(_("cost"), default=0)
    metadata = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=255, null=True, editable=False)  # noqa: DJ001
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    request_id = models.CharField(max_length=64, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    group_id = models.UUIDField(null=True)
    published_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=220, blank=True, default="", db_default="")
    deadline = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    started_at = models.DateTimeField(_("started"), null=True)
    completed_at = models.DateTimeField(_("completed"), null=True)
    predict_seconds = models.FloatField(null=True)
    data_removed = models.BooleanField(default=False)

    objects = PredictionQuerySet.as_manager()

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")
        constraints = [
            models.CheckConstraint(
                condition=Q(status="succeeded", cost__gt=0) | (~Q(status="succeeded") & Q(cost=0)),
                name="prediction_costs_when_succeeded",
            ),
            models.UniqueConstraint(
                fields=["user", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="prediction_once_for_its_key",
            ),
            models.CheckConstraint(
                condition=Q(rows_valid__gt=0, rows_valid__lte=F("rows_total")),
                name="prediction_has_a_valid_row",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["starting", "processing"], completed_at__isnull=True)
                | Q(status__in=["succeeded", "failed", "canceled"], completed_at__isnull=False),
                name="prediction_completed_when_finished",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="prediction_by_user"),
            models.Index(
                fields=["user", "id"],
                condition=Q(status="starting", published_at__isnull=True),
                name="prediction_to_publish",
            ),
            models.Index(
                fields=["published_at"],
                condition=Q(status="starting", published_at__isnull=False),
                name="prediction_published",
            ),
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status="processing"),
                name="prediction_leased",
            ),
            # What the dashboard adds up is read from the index alone.
            models.Index(
                fields=["user", "completed_at"],
                include=["version", "cost", "status", "created_at"],
                condition=Q(completed_at__isnull=False),
                name="prediction_finished",
            ),
            models.Index(
                fields=["deadline"],
                condition=Q(status="starting", deadline__isnull=False),
                name="prediction_with_deadline",
            ),
        ]

    # Set when a repeated request with the same key found this one.
    is_replayed = False

    def __str__(self) -> str:
        return f"{self.pk} ({self.status})"

    def get_absolute_url(self) -> str:
        return reverse("prediction", args=[self.pk])

    @property
    def refunded(self) -> int:
        return self.hold.refunded

    @property
    def is_finished(self) -> bool:
        return self.completed_at is not None

    @property
    def input_value(self) -> Any:
        return msgspec.json.decode(self.input)

    @property
    def output_value(self) -> list[dict[str, Any]] | None:
        return None if self.output is None else msgspec.json.decode(self.output)


class Worker(models.Model):
    """A worker node's heartbeat: its children, what they consume and when it was last seen."""

    name = models.CharField(_("name"), primary_key=True, max_length=200)
    children = models.PositiveSmallIntegerField(_("children"))
    queues = ArrayField(
        models.CharField(max_length=40), verbose_name=_("queues"), default=list, db_default=[]
    )
    seen_at = models.DateTimeField(_("last seen"), db_default=Now())

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers and queues")

    def __str__(self) -> str:
        return self.name


class Pruning(models.Model):
    """How far rows and results are removed by age: all before `reached` that finished has none.

    There is one row; `removed` counts the predictions of all runs.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    reached = models.UUIDField()
    removed = models.BigIntegerField(default=0)
    pruned_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="pruning_is_noted_once"),
        ]

    def __str__(self) -> str:
        return f"{self.removed} up to {self.reached}"


class Usage(models.Model):
    """What succeeded or failed within a quarter of an hour: of one user, with one version.

    `began_at` is when that began, `spent` credits. What finishes from `UsageMark.reached` on is
    not added up yet.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", db_index=False
    )
    version = models.ForeignKey(ModelVersion, models.PROTECT, related_name="+", db_index=False)
    began_at = models.DateTimeField()
    spent = models.BigIntegerField()
    succeeded = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()

    class Meta:
        constraints = [
            # What the dashboard adds up is read from the index alone.
            models.UniqueConstraint(
                fields=["user", "began_at", "version"],
                include=["spent", "succeeded", "failed"],
                name="usage_once_a_quarter",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M}: {self.succeeded} succeeded, {self.failed} failed"


class UsageMark(models.Model):
    """How far usage is added up, in one row: whatever finished before `reached` is in `Usage`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    reached = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="usage_has_one_mark"),
        ]

    def __str__(self) -> str:
        return f"{self.reached:%Y-%m-%d %H:%M}"


class DeadLetter(models.Model):
    """A message that no worker could take, kept to be looked at and then discarded.

    `queue` is where it was refused, `reason` the broker's word for why; headers and body are
    shortened.
    """

    queue = models.CharField(_("queue"), max_length=100, blank=True)
    task = models.CharField(_("task"), max_length=200, blank=True)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    headers = models.TextField(_("headers"), blank=True)
    body = models.TextField(_("body"), blank=True)
    arrived_at = models.DateTimeField(_("arrived"), db_default=Now())
    discarded_at = models.DateTimeField(_("discarded"), null=True)
    discarded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("discarded by"),
    )

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        constraints = [
            models.CheckConstraint(
                condition=Q(discarded_at__isnull=True, discarded_by__isnull=True)
                | Q(discarded_at__isnull=False, discarded_by__isnull=False),
                name="dead_letter_discarded_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task or '?'} ({self.queue or '?'})"
