"""Quotes over the API: what a prediction would cost, with nothing held and nothing written."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from predictions.api import examples
from predictions.api.serializers import PredictionRequestSerializer
from predictions.quotes import quote


class RowErrorSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class QuoteSerializer(serializers.Serializer[Any]):
    rows_total = serializers.IntegerField()
    rows_valid = serializers.IntegerField()
    price = serializers.IntegerField()
    cost = serializers.IntegerField()
    available = serializers.IntegerField()
    sufficient = serializers.BooleanField()

    # `errors` cannot be declared as an attribute: a serializer has one of its own.
    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "errors": RowErrorSerializer(many=True)}


QUOTE = OpenApiExample(
    "Two rows, one of them valid",
    {
        "rows_total": 2,
        "rows_valid": 1,
        "price": 5,
        "cost": 5,
        "available": 488,
        "sufficient": True,
        "errors": [
            {"index": 1, "field": "carat", "code": "missing", "message": "This field is missing."}
        ],
    },
    response_only=True,
)


class QuoteView(APIView):
    """What a prediction would cost, and which of its rows would be free because they are wrong."""

    @extend_schema(
        request=PredictionRequestSerializer,
        responses={200: QuoteSerializer},
        examples=[examples.REQUEST, QUOTE],
    )
    def post(self, request: Request) -> Response:
        body = PredictionRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        body.validated_data.pop("metadata", None)
        quoted = quote(user_id=request.user.pk, **body.validated_data)
        return Response(QuoteSerializer(quoted).data)
