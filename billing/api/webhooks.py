"""Where payment providers report: a signature stands in for a token."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.models import ProviderEvent
from billing.payment_events import apply_event
from billing.providers.stripe import read_event

EVENT = {
    "id": "evt_1S2x",
    "type": "checkout.session.completed",
    "data": {
        "object": {
            "id": "cs_1S2x",
            "payment_status": "paid",
            "payment_intent": "pi_3S2x",
            "amount_total": 500,
            "currency": "usd",
            "metadata": {"top_up": "0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55"},
        }
    },
}


class EventSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    type = serializers.CharField()

    # `data` cannot be declared as an attribute: a serializer has one of its own.
    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "data": serializers.DictField()}


class OutcomeSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(ProviderEvent.Outcome.choices)


class StripeView(APIView):
    """Stripe's events: payments, refunds and disputes, each applied once."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=EventSerializer,
        responses={200: OutcomeSerializer},
        auth=[],
        parameters=[
            OpenApiParameter(
                "Stripe-Signature",
                str,
                OpenApiParameter.HEADER,
                required=True,
                description="Stripe's signature of the body with the endpoint's secret.",
            )
        ],
        examples=[
            OpenApiExample("A paid checkout", EVENT, request_only=True),
            OpenApiExample("Credited", {"outcome": "applied"}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Take a signed event; what it cannot do is kept for an operator, and answered 200."""
        # Refunds still arrive when no new card payments are offered.
        if not settings.STRIPE_WEBHOOK_SECRET:
            raise NotFound
        signature = request.headers.get("Stripe-Signature", "")
        event = read_event(body=request.body, signature=signature)
        return Response({"outcome": apply_event(event)})
