"""The shapes of predictions in the API."""

from typing import Annotated, Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from predictions.api import documents
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


class PlainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A request beyond doubt, as nearly all are: what the serializer passes without changing it."""

    model: Annotated[str, msgspec.Meta(pattern=r"^[-a-zA-Z0-9_]+\Z", max_length=80)]
    input: dict[str, Any] | list[Any]
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | msgspec.UnsetType = msgspec.UNSET
    explain: bool = False


def read_request(body: Any) -> dict[str, Any]:
    """Check a request's body; raise ValidationError, which names every field that is wrong.

    The serializer alone decides: what is plain is only spared its pace.
    """
    try:
        fields = msgspec.structs.asdict(msgspec.convert(body, PlainRequest))
        return {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    except msgspec.ValidationError:
        request = PredictionRequestSerializer(data=body)
        request.is_valid(raise_exception=True)
        return dict(request.validated_data)


class MetricsSerializer(serializers.Serializer[Any]):
    queue_seconds = serializers.FloatField(allow_null=True)
    predict_seconds = serializers.FloatField(allow_null=True)
    total_seconds = serializers.FloatField(allow_null=True)


class UrlsSerializer(serializers.Serializer[Any]):
    get = serializers.CharField()
    cancel = serializers.CharField()
    web = serializers.CharField()


class PredictionSummarySerializer(serializers.ModelSerializer[Prediction]):
    """A prediction without its rows, as lists show it.

    The fields say what stands in the OpenAPI document; what they hold is made by `documents`.
    """

    model = serializers.CharField()
    version = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)
    error_code = serializers.CharField(allow_null=True)
    metrics = MetricsSerializer()
    urls = UrlsSerializer()
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

    def to_representation(self, prediction: Prediction) -> dict[str, Any]:
        return documents.summary(prediction, documents.root_of(self.context["request"]))


@extend_schema_field(ROWS_IN)
class RowsInField(serializers.JSONField):
    """What was sent."""


@extend_schema_field(ROWS_OUT)
class RowsOutField(serializers.JSONField):
    """What came back, row by row."""


class PredictionSerializer(PredictionSummarySerializer):
    """A prediction whole: what was sent and what came back, row by row."""

    input = RowsInField()
    output = RowsOutField()

    class Meta(PredictionSummarySerializer.Meta):
        fields = [*PredictionSummarySerializer.Meta.fields, "input", "output"]

    def to_representation(self, prediction: Prediction) -> dict[str, Any]:
        return super().to_representation(prediction) | {
            "input": prediction.input_value,
            "output": prediction.output_value,
        }
