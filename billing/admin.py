"""Money at the operators' desk: only looked at, but for top-ups that wait for a decision."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Hold, LedgerEntry, TopUp, Wallet
from billing.services import pay_top_up, reject_top_up
from mlservice.lib.admin import ReadOnlyAdmin


@admin.register(TopUp)
class TopUpAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "wallet", "amount", "provider", "status", "resolved_by", "note")
    list_filter = ("status", "provider")
    list_select_related = ("wallet__user", "resolved_by")
    search_fields = ("wallet__user__username",)
    ordering = ("-id",)
    actions = ("approve", "reject")

    @admin.action(description=gettext_lazy("Approve: credit the wallet"), permissions=["operate"])
    def approve(self, request: HttpRequest, queryset: QuerySet[TopUp]) -> None:
        operator_id = _operator_id(request)

        def pay(top_up: TopUp) -> None:
            pay_top_up(top_up_id=top_up.pk, note="Approved by an operator", actor_id=operator_id)

        self.each(request, queryset, pay, _("approved"))

    @admin.action(description=gettext_lazy("Reject: credit nothing"), permissions=["operate"])
    def reject(self, request: HttpRequest, queryset: QuerySet[TopUp]) -> None:
        operator_id = _operator_id(request)

        def close(top_up: TopUp) -> None:
            reject_top_up(top_up_id=top_up.pk, note="Rejected by an operator", actor_id=operator_id)

        self.each(request, queryset, close, _("rejected"))


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = ("user", "balance", "held", "available")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    fields = list_display

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
        "actor",
        "reason",
    )
    list_filter = ("kind", "created_at")
    list_select_related = ("wallet__user", "actor")
    search_fields = ("=wallet__user__username", "=reference_id")
    ordering = ("-id",)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "wallet", "amount", "captured", "status", "resolved_at")
    list_filter = ("status",)
    list_select_related = ("wallet__user",)
    search_fields = ("=wallet__user__username", "=reference_id")
    ordering = ("-id",)


def _operator_id(request: HttpRequest) -> int:
    return int(request.user.pk or 0)
