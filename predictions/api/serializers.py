"""The shapes of predictions in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from predictions import selectors
from predictions.models import Prediction

ROWS_IN = {
    "oneOf": [
        {"type": "object", "additionalProperties": True},
        {"type": "array", "items": {"type": "object", "additionalProperties": True}},
    ]
}
ROWS_OUT = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "required": ["index", "status"],
        "properties": {
            "index": {"type": "integer"},
            "status": {"enum": ["succeeded", "invalid", "failed"]},
            "prediction": {"type": ["number", "string", "integer", "boolean"]},
            "probabilities": {
                "type": "object",
                "description": "Of a classifier: each label's name with its probability.",
                "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
            },
            "explanation": {
                "type": "object",
                "description": "Where it was asked for: `base` and all contributions add up to "
                "the prediction, or to the probability of the label predicted.",
                "required": ["base", "contributions"],
                "properties": {
                    "base": {"type": "number"},
                    "contributions": {
                        "type": "object",
                        "additionalProperties": {"type": "number"},
                    },
                },
            },
            "warnings": {"type": "array", "items": {"type": "object"}},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
    },
}


@extend_schema_field(ROWS_IN)
class RowsField(serializers.Field[Any, Any, Any, Any]):
    """One row or a list of rows, taken as they are; the model's schema judges them."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class MetadataField(serializers.DictField):
    """Up to 10 keys of 1 to 40 characters with text of up to 200."""

    child = serializers.CharField(max_length=200, allow_blank=True)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and len(data) > 10:
            raise serializers.ValidationError("Metadata has at most 10 keys.")
        values = super().to_internal_value(data)
        if any(not 1 <= len(key) <= 40 or "\x00" in key for key in values):
            raise serializers.ValidationError("A metadata key has 1 to 40 characters.")
        return values


class PredictionRequestSerializer(serializers.Serializer[Any]):
    model = serializers.SlugField(max_length=80)
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    input = RowsField()
    explain = serializers.BooleanField(
        default=False,
        help_text="Say of each row what every column added, at the version's `explain_multiplier`.",
    )
    metadata = MetadataField(required=False)


class MetricsSerializer(serializers.Serializer[Any]):
    queue_seconds = serializers.FloatField(allow_null=True)
    predict_seconds = serializers.FloatField(allow_null=True)
    total_seconds = serializers.FloatField(allow_null=True)


class UrlsSerializer(serializers.Serializer[Any]):
    get = serializers.CharField()
    cancel = serializers.CharField()
    web = serializers.CharField()


class PredictionSummarySerializer(serializers.ModelSerializer[Prediction]):
    """A prediction without its rows, as lists show it."""

    model = serializers.CharField(source="version.model.slug")
    version = serializers.IntegerField(source="version.number")
    error = serializers.SerializerMethodField()
    error_code = serializers.SerializerMethodField()
    metrics = serializers.SerializerMethodField()
    urls = serializers.SerializerMethodField()
    metadata = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = Prediction
        fields = [
            "id",
            "model",
            "version",
            "status",
            "error",
            "error_code",
            "rows_total",
            "rows_valid",
            "price",
            "explain",
            "cost",
            "refunded",
            "metadata",
            "source",
            "created_at",
            "started_at",
            "completed_at",
            "cancel_requested_at",
            "deadline",
            "metrics",
            "data_removed",
            "urls",
        ]

    def get_error(self, prediction: Prediction) -> str | None:
        return prediction.error or None

    def get_error_code(self, prediction: Prediction) -> str | None:
        return prediction.error_code or None

    @extend_schema_field(MetricsSerializer)
    def get_metrics(self, prediction: Prediction) -> dict[str, float | None]:
        return selectors.metrics(prediction)

    @extend_schema_field(UrlsSerializer)
    def get_urls(self, prediction: Prediction) -> dict[str, str]:
        request = self.context["request"]
        return {
            "get": reverse("api_prediction", args=[prediction.pk], request=request),
            "cancel": reverse("api_prediction_cancel", args=[prediction.pk], request=request),
            "web": request.build_absolute_uri(prediction.get_absolute_url()),
        }


class PredictionSerializer(PredictionSummarySerializer):
    """A prediction whole: what was sent and what came back, row by row."""

    input = serializers.SerializerMethodField()
    output = serializers.SerializerMethodField()

    class Meta(PredictionSummarySerializer.Meta):
        fields = [*PredictionSummarySerializer.Meta.fields, "input", "output"]

    @extend_schema_field(ROWS_IN)
    def get_input(self, prediction: Prediction) -> Any:
        return prediction.input_value

    @extend_schema_field(ROWS_OUT)
    def get_output(self, prediction: Prediction) -> Any:
        return prediction.output_value
