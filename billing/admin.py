"""Money at the operators' desk: only looked at, but for top-ups that wait for a decision."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.adjusting import adjustment_page
from billing.adjustments import approve_adjustment, reject_adjustment
from billing.deciding import decision_page
from billing.models import (
    AuditRun,
    Hold,
    LedgerEntry,
    PaymentReversal,
    PendingAdjustment,
    ProviderEvent,
    TopUp,
    Wallet,
)
from mlservice.lib.admin import ReadOnlyAdmin

BROKEN = mark_safe(' class="font-bold text-red-600"')


@admin.register(TopUp)
class TopUpAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "wallet", "amount", "provider", "status", "resolved_by", "note")
    list_filter = ("status", "provider")
    list_select_related = ("wallet__user", "resolved_by")
    search_fields = ("wallet__user__username",)
    ordering = ("-id",)
    actions = ("approve", "reject")

    @admin.action(description=gettext_lazy("Approve: credit the wallet"), permissions=["operate"])
    def approve(self, request: HttpRequest, queryset: QuerySet[TopUp]) -> HttpResponse | None:
        return decision_page(self, request, queryset, "approve")

    @admin.action(description=gettext_lazy("Reject: credit nothing"), permissions=["operate"])
    def reject(self, request: HttpRequest, queryset: QuerySet[TopUp]) -> HttpResponse | None:
        return decision_page(self, request, queryset, "reject")


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ("user", "balance", "held", "available", "shortfall", "adjust")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    fields = (
        *("user", "balance", "held", "available", "shortfall"),
        *("spending_cap", "low_balance_threshold"),
    )

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.adjustment)
        return [path("<int:pk>/adjust", page, name="billing_wallet_adjust"), *super().get_urls()]

    def adjustment(self, request: HttpRequest, pk: int) -> HttpResponse:
        wallet = get_object_or_404(Wallet.objects.select_related("user"), pk=pk)
        return adjustment_page(request, self.admin_site, wallet=wallet)

    @admin.display(description=gettext_lazy("adjust"))
    def adjust(self, wallet: Wallet) -> str:
        url = reverse("admin:billing_wallet_adjust", args=[wallet.pk])
        return format_html('<a href="{}">{}</a>', url, _("Grant or correct"))

    @admin.display(description=gettext_lazy("available"))
    def available(self, wallet: Wallet) -> int:
        return wallet.available


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "created_at",
        "wallet",
        "kind",
        "amount",
        "balance_after",
        "who",
        "why",
    )
    list_filter = ("kind", "created_at")
    list_select_related = ("wallet__user", "actor")
    search_fields = ("=wallet__user__username", "=reference_id")
    ordering = ("-id",)

    @admin.display(description=gettext_lazy("who"))
    def who(self, entry: LedgerEntry) -> str:
        return str(entry.actor or _("the service"))

    @admin.display(description=gettext_lazy("why"))
    def why(self, entry: LedgerEntry) -> str:
        about = f"{entry.reference_type} {entry.reference_id}"
        return f"{entry.reason} · {about}" if entry.reason else about


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = (
        *("id", "created_at", "wallet", "amount", "captured", "refunded", "status"),
        *("resolved_at", "give_back"),
    )
    list_filter = ("status",)
    list_select_related = ("wallet__user",)
    search_fields = ("=wallet__user__username", "=reference_id")
    ordering = ("-id",)

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(self.refund)
        return [path("<int:pk>/refund", page, name="billing_hold_refund"), *super().get_urls()]

    def refund(self, request: HttpRequest, pk: int) -> HttpResponse:
        hold = get_object_or_404(Hold.objects.select_related("wallet__user"), pk=pk)
        return adjustment_page(request, self.admin_site, wallet=hold.wallet, hold=hold)

    @admin.display(description=gettext_lazy("refund"))
    def give_back(self, hold: Hold) -> str:
        if not hold.captured or hold.refunded:
            return ""
        url = reverse("admin:billing_hold_refund", args=[hold.pk])
        return format_html('<a href="{}">{}</a>', url, _("Refund"))


@admin.register(PendingAdjustment)
class PendingAdjustmentAdmin(ReadOnlyAdmin):
    list_display = (
        *("created_at", "kind", "wallet", "amount", "reason"),
        *("requested_by", "status", "decided_by"),
    )
    list_filter = ("status", "kind")
    list_select_related = ("wallet__user", "requested_by", "decided_by")
    ordering = ("-id",)
    actions = ("approve", "reject")

    @admin.action(description=gettext_lazy("Approve: carry it out"), permissions=["operate"])
    def approve(self, request: HttpRequest, queryset: QuerySet[PendingAdjustment]) -> None:
        operator_id = _operator_id(request)
        self.each(
            request,
            queryset,
            lambda row: approve_adjustment(adjustment_id=row.pk, actor_id=operator_id),
            _("approved"),
        )

    @admin.action(description=gettext_lazy("Reject: move nothing"), permissions=["operate"])
    def reject(self, request: HttpRequest, queryset: QuerySet[PendingAdjustment]) -> None:
        operator_id = _operator_id(request)
        self.each(
            request,
            queryset,
            lambda row: reject_adjustment(adjustment_id=row.pk, actor_id=operator_id),
            _("rejected"),
        )


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnlyAdmin):
    list_display = ("finished_at", "state", "drift", "seconds")
    ordering = ("-id",)
    fields = ("finished_at", "state", "drift", "seconds", "rules")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("the books"))
    def state(self, run: AuditRun) -> str:
        if not run.drift:
            return _("agree")
        return format_html('<strong class="text-red-600">{}</strong>', _("differ"))

    @admin.display(description=gettext_lazy("rows that break a rule"))
    def drift(self, run: AuditRun) -> int:
        return run.drift

    @admin.display(description=gettext_lazy("rows that break each rule"))
    def rules(self, run: AuditRun) -> str:
        broken_first = sorted(run.counts.items(), key=lambda rule: -rule[1])
        return format_html(
            "<table><tbody>{}</tbody></table>",
            format_html_join(
                "",
                '<tr{}><th scope="row" class="pr-4 text-left">{}</th><td>{}</td></tr>',
                (
                    (BROKEN if count else "", name.replace("_", " "), count)
                    for name, count in broken_first
                ),
            ),
        )


@admin.register(PaymentReversal)
class PaymentReversalAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "provider", "payment_id", "external_id", "cents", "is_active")
    list_filter = ("provider", "is_active")
    search_fields = ("=payment_id", "=external_id")
    ordering = ("-id",)


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "kind", "outcome", "detail", "external_id")
    list_filter = ("outcome", "kind")
    search_fields = ("=external_id", "detail")
    ordering = ("-id",)


def _operator_id(request: HttpRequest) -> int:
    return int(request.user.pk or 0)
