"""The registry at the operators' desk: which version serves, what it costs, which one retires."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ml_models.errors import InvalidMultiplier, InvalidPrice
from ml_models.models import MLModel, ModelVersion, PointerMove, PriceChange
from ml_models.pointers import clear_candidate, promote, promote_candidate, roll_back, set_candidate
from ml_models.services import (
    check_again,
    check_multiplier,
    check_price,
    release_draft,
    retire_version,
    set_explain_multiplier,
    set_price,
)
from mlservice.lib.admin import ReadOnlyAdmin
from mlservice.lib.errors import DomainError

if TYPE_CHECKING:
    BaseForm = forms.ModelForm[ModelVersion]
    BaseModelForm = forms.ModelForm[MLModel]
else:
    BaseForm = BaseModelForm = forms.ModelForm


class CandidateForm(BaseModelForm):
    """Which version is tried on a share of the users; without one the share is 0."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "candidate" in self.fields:
            choice: Any = self.fields["candidate"]
            able = ModelVersion.objects.published().filter(model=self.instance)
            choice.queryset = able.exclude(pk=self.instance.stable_id or 0)


@admin.register(MLModel)
class MLModelAdmin(ReadOnlyAdmin):
    """The words come from the pipeline's configuration; its pointers are moved here."""

    form = CandidateForm
    list_display = ("title", "slug", "stable", "candidate", "candidate_share")
    list_select_related = ("stable__model", "candidate__model")
    search_fields = ("slug", "title")
    ordering = ("slug",)
    actions = ("promote_candidate", "roll_back")
    change_form_before_template = "admin/ml_models/links.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_operate_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        written = ("id", "candidate", "candidate_share")
        return [field.name for field in self.opts.fields if field.name not in written]

    def save_model(
        self, request: HttpRequest, obj: MLModel, form: BaseModelForm, change: bool
    ) -> None:
        version, share = form.cleaned_data["candidate"], form.cleaned_data["candidate_share"]
        if version is None:
            clear_candidate(model=obj, actor_id=request.user.pk)
        else:
            set_candidate(version=version, share=share, actor_id=request.user.pk)

    @admin.action(
        description=gettext_lazy("Promote the candidate: serve all who name no version"),
        permissions=["operate"],
    )
    def promote_candidate(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        def move(model: MLModel) -> None:
            promote_candidate(model=model, actor_id=request.user.pk)

        self.each(request, queryset, move, _("its candidate serves who names no version"))

    @admin.action(
        description=gettext_lazy("Roll back: return to the version that was stable before"),
        permissions=["operate"],
    )
    def roll_back(self, request: HttpRequest, queryset: QuerySet[MLModel]) -> None:
        def move(model: MLModel) -> None:
            roll_back(model=model, actor_id=request.user.pk)

        self.each(request, queryset, move, _("rolled back"))


class PriceForm(BaseForm):
    def clean_price(self) -> int:
        price: int = self.cleaned_data["price"]
        try:
            check_price(price)
        except InvalidPrice as refusal:
            raise ValidationError(refusal.title) from refusal
        return price

    def clean_explain_multiplier(self) -> int:
        multiplier: int = self.cleaned_data["explain_multiplier"]
        try:
            check_multiplier(multiplier)
        except InvalidMultiplier as refusal:
            raise ValidationError(refusal.title) from refusal
        return multiplier


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """The prices are what is changed by a form; a trigger guards the rest."""

    form = PriceForm
    list_display = (
        "model",
        "number",
        "price",
        "status",
        "serves",
        "sklearn_version",
        "created_at",
    )
    list_filter = ("model", "status")
    list_select_related = ("model",)
    ordering = ("model__slug", "-number")
    actions = ("release", "make_stable", "retire", "check_artifact")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).select_related("model")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_operate_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        written = ("id", "price", "explain_multiplier")
        return [field.name for field in self.opts.fields if field.name not in written]

    def save_model(
        self, request: HttpRequest, obj: ModelVersion, form: BaseForm, change: bool
    ) -> None:
        # What the form has set on the object is what is asked for, not what is.
        version = ModelVersion.objects.get(pk=obj.pk)
        set_price(version=version, price=form.cleaned_data["price"], actor_id=request.user.pk)
        try:
            set_explain_multiplier(
                version=version,
                multiplier=form.cleaned_data["explain_multiplier"],
                actor_id=request.user.pk,
            )
        except DomainError as refusal:
            self.message_user(request, refusal.title, messages.ERROR)

    @admin.display(description=gettext_lazy("serves who names none"))
    def serves(self, version: ModelVersion) -> str:
        if version.model.stable_id == version.pk:
            return _("stable")
        if version.model.candidate_id == version.pk:
            return _("candidate, %(share)d%%") % {"share": version.model.candidate_share}
        return "–"

    @admin.action(
        description=gettext_lazy("Publish a draft: serve who names it"), permissions=["operate"]
    )
    def release(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        def publish(version: ModelVersion) -> None:
            release_draft(version=version)

        self.each(request, queryset, publish, _("published"))

    @admin.action(
        description=gettext_lazy("Make stable: serve who names no version"), permissions=["operate"]
    )
    def make_stable(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        def move(version: ModelVersion) -> None:
            promote(version=version, actor_id=request.user.pk)

        self.each(request, queryset, move, _("serves who names no version"))

    @admin.action(
        description=gettext_lazy("Retire: accept no more predictions"), permissions=["operate"]
    )
    def retire(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        def end(version: ModelVersion) -> None:
            retire_version(version=version)

        self.each(request, queryset, end, _("retired"))

    @admin.action(
        description=gettext_lazy("Check again: serve if the artifact is right now"),
        permissions=["operate"],
    )
    def check_artifact(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        def verify(version: ModelVersion) -> None:
            check_again(version=version)

        self.each(request, queryset, verify, _("serves again"))


@admin.register(PointerMove)
class PointerMoveAdmin(ReadOnlyAdmin):
    """Who moved which pointer from where to where, and when."""

    list_display = (
        *("moved_at", "model", "pointer", "version_before", "version_after"),
        *("share_before", "share_after", "is_rollback", "who"),
    )
    list_filter = ("model", "pointer")
    list_select_related = ("model", "version_before__model", "version_after__model", "actor")
    ordering = ("-id",)

    @admin.display(description=gettext_lazy("who"))
    def who(self, move: PointerMove) -> str:
        return str(move.actor or _("the service"))


@admin.register(PriceChange)
class PriceChangeAdmin(ReadOnlyAdmin):
    """Who set which price, and when."""

    list_display = ("changed_at", "version", "is_explained", "price_before", "price_after", "who")
    list_filter = ("version__model",)
    list_select_related = ("version__model", "actor")
    ordering = ("-id",)

    @admin.display(description=gettext_lazy("who"))
    def who(self, change: PriceChange) -> str:
        return str(change.actor or _("the service"))
