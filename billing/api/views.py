"""The wallet over the API: balance, entries and top-ups."""

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework import status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.serializers import (
    EntrySerializer,
    LimitsSerializer,
    StatementSerializer,
    TopUpRequestSerializer,
    TopUpSerializer,
    WalletSerializer,
)
from billing.limits import change_limits
from billing.models import LedgerEntry, TopUp, Wallet
from billing.services import wallet_of
from billing.statements import csv_response, month_of, statement
from billing.top_ups import start_top_up
from mlservice.lib.idempotency import HEADER, REPLAYED, read_key
from mlservice.lib.openapi import IDEMPOTENCY_KEY
from mlservice.lib.pagination import NewestFirst

WALLET = {
    "balance": 493,
    "held": 5,
    "available": 488,
    "shortfall": 0,
    "spending_cap": None,
    "low_balance_threshold": 100,
}
LIMITS = {"spending_cap": 5_000, "low_balance_threshold": 100}
TOP_UP = {
    "id": "0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55",
    "amount": 500,
    "status": "paid",
    "provider": "demo",
    "checkout_url": None,
    "note": "Demo payment",
    "created_at": "2026-11-23T10:00:00Z",
}
ENTRY = {
    "id": 41,
    "kind": "capture",
    "amount": -7,
    "balance_after": 493,
    "reason": "",
    "reference": {"type": "prediction", "id": "0197b7a3-1111-7c3a-9d7e-2f4b8a1c6e55"},
    "created_at": "2026-11-23T10:01:00Z",
}

STATEMENT = {
    "month": "2026-11",
    "opening": 0,
    "totals": {"capture": -7, "top_up": 500},
    "closing": 493,
    "entries": [ENTRY],
    "next": None,
    "previous": None,
}


@extend_schema_view(get=extend_schema(examples=[OpenApiExample("Wallet", WALLET)]))
class WalletView(RetrieveAPIView[Wallet]):
    """Credits in the wallet, how many of them are held, and what is left to spend."""

    serializer_class = WalletSerializer

    def get_object(self) -> Wallet:
        return wallet_of(self.request.user.pk)

    @extend_schema(
        request=LimitsSerializer,
        responses={200: WalletSerializer},
        examples=[
            OpenApiExample("Limits", LIMITS, request_only=True),
            OpenApiExample("Wallet", WALLET | LIMITS, response_only=True),
        ],
    )
    def patch(self, request: Request) -> Response:
        """Change the monthly spending cap, the low balance warning, or both; null lifts one."""
        body = LimitsSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        change_limits(wallet_id=self.get_object().pk, limits=dict(body.validated_data))
        return Response(WalletSerializer(self.get_object()).data)


@extend_schema_view(get=extend_schema(examples=[OpenApiExample("A charge", ENTRY)]))
class EntryListView(ListAPIView[LedgerEntry]):
    """Every movement of the balance, newest first."""

    serializer_class = EntrySerializer
    queryset = LedgerEntry.objects.none()

    def get_queryset(self) -> QuerySet[LedgerEntry]:
        # By the wallet itself: through the user the database cannot tell a busy wallet apart.
        return wallet_of(self.request.user.pk).entries.all()


class StatementView(APIView):
    """A calendar month (UTC): opening, every entry, closing; `?format=csv` gives all at once."""

    @extend_schema(
        responses={200: StatementSerializer},
        parameters=[OpenApiParameter("format", str, enum=["json", "csv"])],
        examples=[OpenApiExample("A month", STATEMENT)],
    )
    def get(self, request: Request, month: str) -> HttpResponseBase:
        shown = statement(wallet=wallet_of(request.user.pk), month=month_of(month))
        if request.query_params.get("format") == "csv":
            return csv_response(shown)
        pages = NewestFirst()
        entries = pages.paginate_queryset(shown.entries, request, self)
        return Response(
            {
                "month": month,
                "opening": shown.opening,
                "totals": shown.totals,
                "closing": shown.closing,
                "entries": EntrySerializer(entries, many=True).data,
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
            }
        )


@extend_schema_view(
    get=extend_schema(examples=[OpenApiExample("A top-up", TOP_UP, response_only=True)])
)
class TopUpListView(ListAPIView[TopUp]):
    """Top-ups of the wallet, newest first."""

    serializer_class = TopUpSerializer
    queryset = TopUp.objects.none()

    def get_queryset(self) -> QuerySet[TopUp]:
        # As entries are: through the user, all of them would be sorted.
        return wallet_of(self.request.user.pk).top_ups.all()

    @extend_schema(
        request=TopUpRequestSerializer,
        responses={201: TopUpSerializer},
        parameters=[IDEMPOTENCY_KEY],
        examples=[
            OpenApiExample("Buy 500 credits", {"amount": 500}, request_only=True),
            OpenApiExample("Paid", TOP_UP, response_only=True),
        ],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Buy credits; without `provider` the service's first one is taken."""
        body = TopUpRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        key = read_key(request.headers.get(HEADER), request.data)
        wallet = wallet_of(self.request.user.pk)
        top_up = start_top_up(wallet=wallet, key=key, **body.validated_data)
        headers = {REPLAYED: "true"} if top_up.is_replayed else None
        document = TopUpSerializer(top_up).data
        return Response(document, status=status.HTTP_201_CREATED, headers=headers)


@extend_schema_view(get=extend_schema(examples=[OpenApiExample("A top-up", TOP_UP)]))
class TopUpView(RetrieveAPIView[TopUp]):
    """One top-up."""

    serializer_class = TopUpSerializer
    queryset = TopUp.objects.none()

    def get_queryset(self) -> QuerySet[TopUp]:
        return TopUp.objects.filter(wallet__user=self.request.user.pk)
