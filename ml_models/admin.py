"""The registry at the operators' desk: which version serves, what it costs, which one retires."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ml_models.errors import InvalidPrice
from ml_models.models import MLModel, ModelVersion
from ml_models.services import (
    check_again,
    check_price,
    move_stable,
    retire_version,
    set_price,
)
from mlservice.lib.admin import ReadOnlyAdmin

if TYPE_CHECKING:
    BaseForm = forms.ModelForm[ModelVersion]
else:
    BaseForm = forms.ModelForm


@admin.register(MLModel)
class MLModelAdmin(ReadOnlyAdmin):
    """Its words come from the pipeline's configuration, its pointer is moved at the versions."""

    list_display = ("title", "slug", "stable")
    list_select_related = ("stable__model",)
    search_fields = ("slug", "title")
    ordering = ("slug",)


class PriceForm(BaseForm):
    def clean_price(self) -> int:
        price: int = self.cleaned_data["price"]
        try:
            check_price(price)
        except InvalidPrice as refusal:
            raise ValidationError(refusal.title) from refusal
        return price


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """The price is the one thing that is changed by a form; a trigger guards the rest."""

    form = PriceForm
    list_display = (
        "model",
        "number",
        "price",
        "status",
        "is_stable",
        "sklearn_version",
        "created_at",
    )
    list_filter = ("model", "status")
    list_select_related = ("model",)
    ordering = ("model__slug", "-number")
    actions = ("make_stable", "retire", "check_artifact")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        return super().get_queryset(request).select_related("model")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_operate_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.opts.fields if field.name not in ("id", "price")]

    def save_model(
        self, request: HttpRequest, obj: ModelVersion, form: BaseForm, change: bool
    ) -> None:
        set_price(version=obj, price=form.cleaned_data["price"])

    @admin.display(description=gettext_lazy("stable"), boolean=True)
    def is_stable(self, version: ModelVersion) -> bool:
        return version.model.stable_id == version.pk

    @admin.action(
        description=gettext_lazy("Make stable: serve who names no version"), permissions=["operate"]
    )
    def make_stable(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        def move(version: ModelVersion) -> None:
            move_stable(version=version)

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
