"""Predictions at the operators' desk: every one of them can be found and looked at."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import BigIntegerField, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ml_models.models import MLModel
from mlservice.lib.admin import ReadOnlyAdmin
from predictions.comparison import compare
from predictions.history import ids_beginning
from predictions.models import DeadLetter, Prediction, Worker
from predictions.services import discard_dead_letter
from predictions.status import queue_status

SHOWN_CHARACTERS = 4_000
COMPARED_DAYS = ("7", "1", "30", "90")
NUMBER = re.compile(r"[0-9]{1,19}")


def sought(text: str) -> Q:
    """Say which predictions an operator means: by id, by the user, or by the number of a hold."""
    text = text.strip()
    wanted = Q(user_id__in=users_called(text))
    if ids := ids_beginning(text):
        wanted |= Q(pk__gte=ids.first, pk__lte=ids.last)
    if NUMBER.fullmatch(text) and int(text) <= BigIntegerField.MAX_BIGINT:
        wanted |= Q(hold_id=int(text))
    return wanted


def users_called(text: str) -> list[int]:
    """Return who has this name or e-mail, by the indexes that keep both unique in any case."""
    people = get_user_model().objects.alias(name=Lower("username"), address=Lower("email"))
    wanted = Lower(Value(text))
    return list(people.filter(Q(name=wanted) | Q(address=wanted)).values_list("pk", flat=True))


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "created_at", "user", "version", "status", "source"),
        *("rows_total", "rows_valid", "cost"),
    )
    list_filter = ("status", "source", "version__model", "created_at")
    list_select_related = ("user", "version__model")
    search_fields = ("id",)
    search_help_text = _("An id or its beginning, a user name, an e-mail, a hold's number.")
    ordering = ("-id",)
    fields = (
        *("id", "user", "version", "hold", "status", "source", "rows_total", "rows_valid"),
        *("price", "cost", "refunded", "refund", "error", "error_code", "metadata", "request_id"),
        *("attempt", "created_at", "published_at", "started_at", "completed_at"),
        *("deadline", "lease_expires_at", "claimed_by", "group_id"),
        *("cancel_requested_at", "predict_seconds", "input_start", "output_start"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        return super().get_queryset(request).defer("input", "output", "version__input_schema")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Match what an index finds: anything else would read every row."""
        return (queryset.filter(sought(search_term)) if search_term else queryset), False

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.comparison)
        return [
            path("comparison/<int:pk>", page, name="predictions_comparison"),
            *super().get_urls(),
        ]

    def comparison(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show how a model's candidate does beside its stable version."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        model = get_object_or_404(MLModel.objects.select_related("stable", "candidate"), pk=pk)
        asked = request.GET.get("days", "")
        days = int(asked) if asked in COMPARED_DAYS else int(COMPARED_DAYS[0])
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("%(model)s: stable against candidate") % {"model": model},
            "comparison": compare(model=model, days=days),
            "days": days,
            "choices": [int(choice) for choice in COMPARED_DAYS],
        }
        return render(request, "admin/predictions/comparison.html", context)

    @admin.display(description=_("refund"))
    def refund(self, prediction: Prediction) -> str:
        """Lead to the page on which an operator gives back what was charged."""
        if not prediction.cost or prediction.refunded:
            return "–"
        url = reverse("admin:billing_hold_refund", args=[prediction.hold_id])
        return format_html('<a href="{}">{}</a>', url, gettext("Refund"))

    @admin.display(description=_("input"))
    def input_start(self, prediction: Prediction) -> str:
        return prediction.input[:SHOWN_CHARACTERS]

    @admin.display(description=_("output"))
    def output_start(self, prediction: Prediction) -> str:
        return (prediction.output or "")[:SHOWN_CHARACTERS]


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """The nodes, and above them how the queues do."""

    list_display = ("name", "children", "consumes", "seen_at")
    list_before_template = "admin/predictions/queues.html"
    ordering = ("name",)

    @admin.display(description=_("queues"))
    def consumes(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = (extra_context or {}) | {"queues": queue_status()}
        response: HttpResponse = super().changelist_view(request, shown)
        return response


class DiscardedFilter(admin.SimpleListFilter):
    title = _("discarded")
    parameter_name = "discarded"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("not yet")), ("yes", _("discarded"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(discarded_at__isnull=self.value() == "no")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """What no worker could take: looked at, then discarded by somebody."""

    list_display = (
        *("id", "arrived_at", "queue", "task", "reason"),
        *("discarded_at", "discarded_by"),
    )
    list_filter = (DiscardedFilter, "queue", "reason")
    list_select_related = ("discarded_by",)
    search_fields = ("=task",)
    ordering = ("-id",)
    actions = ("discard",)

    @admin.action(description=_("Discard: it was looked at"), permissions=["operate"])
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        def put_aside(letter: DeadLetter) -> None:
            discard_dead_letter(letter=letter, actor_id=int(request.user.pk or 0))

        self.each(request, queryset, put_aside, gettext("discarded"))
