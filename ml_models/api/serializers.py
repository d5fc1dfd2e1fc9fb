"""The shapes of models in the API."""

from typing import Any

from rest_framework import serializers

from ml_models.models import MLModel, ModelVersion


class VersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A version with everything a client needs to send rows to it."""

    slug = serializers.CharField(source="model.slug")
    title = serializers.CharField(source="model.title")
    description = serializers.CharField(source="model.description")
    version = serializers.IntegerField(source="number")
    input_schema = serializers.DictField()
    output_schema = serializers.DictField()
    example = serializers.DictField()
    metrics = serializers.DictField()

    class Meta:
        model = ModelVersion
        fields = [
            "slug",
            "title",
            "description",
            "version",
            "status",
            "price",
            "input_schema",
            "output_schema",
            "example",
            "metrics",
            "created_at",
        ]


class ModelSummarySerializer(serializers.ModelSerializer[MLModel]):
    """A model as the catalogue lists it, with its stable version's number and price."""

    version = serializers.IntegerField(source="stable.number")
    price = serializers.IntegerField(source="stable.price")
    metrics: serializers.Field[Any, Any, Any, Any] = serializers.DictField(source="stable.metrics")

    class Meta:
        model = MLModel
        fields = ["slug", "title", "description", "version", "price", "metrics"]
