"""The shapes of money in the API. Credits are whole numbers."""

from typing import Any

from rest_framework import serializers

from billing.models import MAX_AMOUNT, LedgerEntry, TopUp, Wallet


class WalletSerializer(serializers.ModelSerializer[Wallet]):
    available = serializers.IntegerField(read_only=True)

    class Meta:
        model = Wallet
        fields = [
            *("balance", "held", "available", "shortfall"),
            *("spending_cap", "low_balance_threshold"),
        ]


class LimitsSerializer(serializers.Serializer[Any]):
    """What a client may change in the own wallet; null lifts a limit."""

    spending_cap = serializers.IntegerField(
        min_value=0, max_value=MAX_AMOUNT, allow_null=True, required=False
    )
    low_balance_threshold = serializers.IntegerField(
        min_value=1, max_value=MAX_AMOUNT, allow_null=True, required=False
    )


class ReferenceSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    id = serializers.CharField()


class EntrySerializer(serializers.ModelSerializer[LedgerEntry]):
    reference = ReferenceSerializer(read_only=True)

    class Meta:
        model = LedgerEntry
        fields = ["id", "kind", "amount", "balance_after", "reason", "reference", "created_at"]


class TopUpRequestSerializer(serializers.Serializer[Any]):
    amount = serializers.IntegerField()
    provider = serializers.CharField(required=False, max_length=16)


class TopUpSerializer(serializers.ModelSerializer[TopUp]):
    checkout_url = serializers.SerializerMethodField(
        help_text="Where to pay, while it is pending and the provider has a page for it."
    )

    class Meta:
        model = TopUp
        fields = ["id", "amount", "status", "provider", "checkout_url", "note", "created_at"]

    def get_checkout_url(self, top_up: TopUp) -> str | None:
        return top_up.payable_at or None


class StatementSerializer(serializers.Serializer[Any]):
    """A month of the wallet; `entries` come in pages, newest first."""

    month = serializers.CharField()
    opening = serializers.IntegerField()
    totals = serializers.DictField(child=serializers.IntegerField())
    closing = serializers.IntegerField()
    entries = EntrySerializer(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
