"""The catalogue over the API; it is public."""

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ml_models.api.serializers import ModelSummarySerializer, VersionSerializer
from ml_models.models import MLModel
from ml_models.selectors import find_version, listed_models

SUMMARY = {
    "slug": "random-forest",
    "title": "Random Forest",
    "description": "Accurate, dearer.",
    "version": 1,
    "price": 5,
    "metrics": {"mae": 280.4},
}
VERSION = {
    **SUMMARY,
    "status": "published",
    "explain_multiplier": 2,
    "input_schema": {
        "type": "object",
        "properties": {"size": {"type": "number", "minimum": 0, "x-unit": "cm"}},
        "required": ["size"],
        "additionalProperties": False,
    },
    "output_schema": {"type": "number", "x-unit": "USD"},
    "example": {"size": 1.2},
    "card": {
        "intended_use": "A first estimate of a price.",
        "not_for": "Not an appraisal.",
        "data": "Stones offered for sale, with their prices.",
        "origin": "https://example.com/stones",
        "licence": "MIT",
        "rows": 1000,
        "training_rows": 790,
        "test_rows": 200,
        "cleaning": [{"reason": "the same row again", "rows": 10}],
        "plots": {
            "predicted": [
                {"actual": 450.5, "low": 390.2, "middle": 455.1, "high": 520.9, "rows": 100},
                {"actual": 900.0, "low": 810.4, "middle": 880.7, "high": 960.3, "rows": 100},
            ],
            "residuals": [
                {"start": -100, "end": 0, "count": 90},
                {"start": 0, "end": 100, "count": 110},
            ],
            "influences": {
                "kind": "importances",
                "target_function": "",
                "rows": [{"column": "size", "category": None, "function": "", "value": 1.0}],
            },
        },
    },
    "created_at": "2026-11-23T10:00:00Z",
    "changelog": [
        {
            "version": 2,
            "status": "published",
            "price": 6,
            "created_at": "2026-11-25T10:00:00Z",
            "metrics_change": {"mae": -12.5},
        },
        {
            "version": 1,
            "status": "published",
            "price": 5,
            "created_at": "2026-11-23T10:00:00Z",
            "metrics_change": {},
        },
    ],
    "price_history": [
        {
            "version": 1,
            "is_explained": False,
            "price_before": 4,
            "price_after": 5,
            "changed_at": "2026-11-24T10:00:00Z",
        }
    ],
}


@extend_schema(auth=[], examples=[OpenApiExample("A model", SUMMARY)])
class ModelListView(ListAPIView[MLModel]):
    """Models that serve, with the price of a row in credits."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = ModelSummarySerializer
    queryset = MLModel.objects.none()

    def get_queryset(self) -> QuerySet[MLModel]:
        return listed_models()


class VersionView(APIView):
    """One version of a model; without a number the stable one."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        auth=[],
        responses={200: VersionSerializer},
        examples=[OpenApiExample("A version", VERSION)],
    )
    def get(self, request: Request, slug: str, number: int | None = None) -> Response:
        return Response(VersionSerializer(find_version(slug=slug, number=number)).data)
