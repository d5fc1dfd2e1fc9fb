"""Predictions at the operators' desk: every one of them can be found and looked at."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mlservice.lib.admin import ReadOnlyAdmin
from predictions.models import DeadLetter, Prediction, Worker
from predictions.services import discard_dead_letter
from predictions.status import queue_status

SHOWN_CHARACTERS = 4_000


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "created_at", "user", "version", "status", "source"),
        *("rows_total", "rows_valid", "cost"),
    )
    list_filter = ("status", "source", "version__model", "created_at")
    list_select_related = ("user", "version__model")
    search_fields = ("id",)
    search_help_text = _("A whole id, or a whole user name.")
    ordering = ("-id",)
    fields = (
        *("id", "user", "version", "hold", "status", "source", "rows_total", "rows_valid"),
        *("price", "cost", "refunded", "error", "error_code", "metadata", "request_id"),
        *("attempt", "created_at", "published_at", "started_at", "completed_at"),
        *("deadline", "lease_expires_at", "claimed_by", "group_id"),
        *("cancel_requested_at", "predict_seconds", "input_start", "output_start"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prediction]:
        return super().get_queryset(request).defer("input", "output", "version__input_schema")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Match a whole id or a whole user name: a part of either would read every row."""
        wanted = Q(user__username=search_term)
        with suppress(ValueError):
            wanted |= Q(pk=UUID(search_term))
        return (queryset.filter(wanted) if search_term else queryset), False

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
