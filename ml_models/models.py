"""The registry: model families, their immutable versions, who serves, and what was changed."""

import hashlib
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from ml_models.errors import ExplanationsNotOffered
from ml_models.fields import OrderedJSONField


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What the bytes of a trained estimator are known by, and what can read them."""

    md5: str
    sha256: str
    size: int
    sklearn_version: str
    format: str = "joblib"


class MLModel(models.Model):
    """A model family; `stable` is the version that serves who names none.

    Of these a `candidate` serves `candidate_share` percent of the users, the same ones each time.
    """

    slug = models.SlugField(_("slug"), max_length=64, unique=True)
    title = models.CharField(_("title"), max_length=100)
    title_ru = models.CharField(_("title in Russian"), max_length=100, blank=True)
    description = models.TextField(_("description"), blank=True)
    description_ru = models.TextField(_("description in Russian"), blank=True)
    stable = models.ForeignKey(
        "ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("stable version"),
    )
    candidate = models.ForeignKey(
        "ModelVersion",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("candidate"),
    )
    candidate_share = models.PositiveSmallIntegerField(
        _("candidate's share of the users, percent"), default=0, db_default=0
    )

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        constraints = [
            models.CheckConstraint(
                condition=Q(candidate__isnull=True, candidate_share=0)
                | Q(candidate__isnull=False, candidate_share__gte=1, candidate_share__lte=100),
                name="model_candidate_has_a_share",
                violation_error_message=_(
                    "A candidate's share is 1 to 100 percent; without a candidate it is 0."
                ),
            ),
            models.CheckConstraint(
                condition=~Q(candidate=F("stable")),
                name="model_candidate_is_not_stable",
                violation_error_message=_("The candidate is another version than the stable one."),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def version_for(self, user_id: int | None) -> "ModelVersion | None":
        """Return the version that serves this user, who names none; nobody gets the stable one."""
        candidate = self.candidate
        if candidate is None or user_id is None or not candidate.is_published:
            return self.stable
        is_chosen = place_of(user_id, self.pk, candidate.pk) < self.candidate_share
        return candidate if is_chosen else self.stable

    @property
    def local_title(self) -> str:
        return (get_language() == "ru" and self.title_ru) or self.title

    @property
    def local_description(self) -> str:
        return (get_language() == "ru" and self.description_ru) or self.description


def place_of(user_id: int, model_id: int, candidate_id: int) -> int:
    """Return the user's place, 0 to 99, in the queue for a candidate: the same in every process.

    A share that grows keeps the users it had; another candidate shuffles them anew.
    """
    digest = hashlib.sha256(f"{user_id}:{model_id}:{candidate_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def published(self) -> "ModelVersionQuerySet":
        return self.filter(status=ModelVersion.Status.PUBLISHED)

    def without_drafts(self) -> "ModelVersionQuerySet":
        return self.exclude(status=ModelVersion.Status.DRAFT)


class ModelVersion(models.Model):
    """One release of a model; all but its prices and status is fixed by a trigger.

    `price` is in credits a row, and times `explain_multiplier` for a row that is explained; where
    that is 0, explanations are not offered. The documents keep the order of their keys: rows
    reach the estimator in the order of `input_schema["properties"]`. A broken one has an artifact
    that cannot be used; it serves again once its bytes were seen to be right. A draft serves
    nobody. The golden rows are inputs with the outputs that the estimator gave when it was
    published.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        BROKEN = "broken", _("broken")
        RETIRED = "retired", _("retired")

    class Format(models.TextChoices):
        JOBLIB = "joblib", "joblib"
        SKOPS = "skops", "skops"

    class InputKind(models.TextChoices):
        OBJECTS = "objects", _("array of objects")
        NUMBERS = "numbers", _("array of numbers")
        TABLE = "table", _("table with named columns")

    model = models.ForeignKey(
        MLModel, models.PROTECT, related_name="versions", verbose_name=_("model")
    )
    number = models.PositiveIntegerField(pgettext_lazy("of a version", "number"))
    price = models.BigIntegerField(_("price"))
    explain_multiplier = models.PositiveSmallIntegerField(
        _("price of an explained row, as a multiple"), default=0, db_default=0
    )
    status = models.CharField(
        _("status"), max_length=9, choices=Status.choices, default=Status.PUBLISHED
    )
    broken_reason = models.TextField(_("why it is broken"), blank=True, default="", db_default="")
    broken_at = models.DateTimeField(_("broken since"), null=True)
    artifact_md5 = models.CharField(_("artifact MD5"), max_length=32)
    artifact_sha256 = models.CharField(_("artifact SHA-256"), max_length=64)
    artifact_size = models.BigIntegerField(_("artifact size"))
    artifact_format = models.CharField(
        _("artifact format"), max_length=6, choices=Format.choices, default=Format.JOBLIB
    )
    sklearn_version = models.CharField(_("scikit-learn version"), max_length=32)
    input_kind = models.CharField(
        _("what the estimator takes"),
        max_length=7,
        choices=InputKind.choices,
        default=InputKind.OBJECTS,
    )
    input_schema = OrderedJSONField(_("input schema"))
    output_schema = OrderedJSONField(_("output schema"))
    example = OrderedJSONField(_("example"))
    metrics = OrderedJSONField(_("metrics"))
    golden_rows = OrderedJSONField(_("golden rows"), default=list)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        constraints = [
            models.UniqueConstraint(
                fields=["model", "number"], name="model_version_number_once_per_model"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1), name="model_version_number_at_least_one"
            ),
            models.CheckConstraint(
                condition=Q(price__gte=1), name="model_version_price_at_least_one"
            ),
            models.CheckConstraint(
                condition=Q(explain_multiplier__lte=100),
                name="model_version_explain_multiplier_at_most_100",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "broken", "retired"]),
                name="model_version_status_is_known",
            ),
            models.CheckConstraint(
                condition=Q(status="broken", broken_at__isnull=False)
                | (~Q(status="broken") & Q(broken_at__isnull=True)),
                name="model_version_broken_since_when",
            ),
            models.CheckConstraint(
                condition=Q(artifact_format__in=["joblib", "skops"]),
                name="model_version_format_is_known",
            ),
            models.CheckConstraint(
                condition=Q(input_kind__in=["objects", "numbers", "table"]),
                name="model_version_input_kind_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.number}"

    def price_of_row(self, *, explain: bool = False) -> int:
        """Return the credits for a row; raise ExplanationsNotOffered where they are not."""
        if not explain:
            return self.price
        if not self.explain_multiplier:
            raise ExplanationsNotOffered
        return self.explained_price

    @property
    def explained_price(self) -> int:
        return self.price * self.explain_multiplier

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT

    @property
    def is_published(self) -> bool:
        return self.status == self.Status.PUBLISHED

    @property
    def is_retired(self) -> bool:
        return self.status == self.Status.RETIRED

    @property
    def is_broken(self) -> bool:
        return self.status == self.Status.BROKEN

    @property
    def artifact(self) -> Artifact:
        return Artifact(
            md5=self.artifact_md5,
            sha256=self.artifact_sha256,
            size=self.artifact_size,
            sklearn_version=self.sklearn_version,
            format=self.artifact_format,
        )


class Card(models.Model):
    """What is said and drawn of a version for people; never changed, like the version itself.

    It stands apart from its version, which every request reads and no request needs it for.
    """

    version = models.OneToOneField(
        ModelVersion,
        models.CASCADE,
        primary_key=True,
        related_name="card",
        verbose_name=_("model version"),
    )
    words = OrderedJSONField(_("words"), default=dict)
    plots = OrderedJSONField(_("plots"), default=dict)

    class Meta:
        verbose_name = _("model card")
        verbose_name_plural = _("model cards")

    def __str__(self) -> str:
        return str(self.version)


class PointerMove(models.Model):
    """A move of a model's stable pointer, or of its candidate with its share; never changed.

    Without an actor it was a command, or the first version serving by itself.
    """

    class Pointer(models.TextChoices):
        STABLE = "stable", _("stable")
        CANDIDATE = "candidate", _("candidate")

    model = models.ForeignKey(
        MLModel, models.PROTECT, related_name="moves", verbose_name=_("model")
    )
    pointer = models.CharField(_("pointer"), max_length=9, choices=Pointer.choices)
    version_before = models.ForeignKey(
        ModelVersion, models.PROTECT, null=True, related_name="+", verbose_name=_("from")
    )
    version_after = models.ForeignKey(
        ModelVersion, models.PROTECT, null=True, related_name="+", verbose_name=_("to")
    )
    share_before = models.PositiveSmallIntegerField(_("share before"), default=0)
    share_after = models.PositiveSmallIntegerField(_("share after"), default=0)
    is_rollback = models.BooleanField(_("rolled back"), default=False, db_default=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("who"),
    )
    moved_at = models.DateTimeField(_("moved"), db_default=Now())

    class Meta:
        verbose_name = _("pointer move")
        verbose_name_plural = _("pointer moves")

    def __str__(self) -> str:
        return f"{self.model}, {self.get_pointer_display()}"


class PriceChange(models.Model):
    """A version's price as somebody set it, and what it was before; never changed.

    It is that of a plain row, or that of an explained one; 0 offered no explanations.
    """

    version = models.ForeignKey(
        ModelVersion, models.PROTECT, related_name="price_changes", verbose_name=_("version")
    )
    is_explained = models.BooleanField(_("of an explained row"), default=False, db_default=False)
    price_before = models.BigIntegerField(_("from"))
    price_after = models.BigIntegerField(_("to"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("who"),
    )
    changed_at = models.DateTimeField(_("changed"), db_default=Now())

    class Meta:
        verbose_name = _("price change")
        verbose_name_plural = _("price changes")

    def __str__(self) -> str:
        return f"{self.version}: {self.price_before} → {self.price_after}"
