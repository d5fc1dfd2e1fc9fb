"""The shapes of models in the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ml_models import history
from ml_models.api.card_serializers import CardSerializer
from ml_models.models import MLModel, ModelVersion
from ml_models.selectors import card_of


class ChangelogSerializer(serializers.Serializer[Any]):
    """A version among those before and after it."""

    version = serializers.IntegerField(source="number")
    status = serializers.ChoiceField(ModelVersion.Status.choices)
    price = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    metrics_change = serializers.DictField(
        child=serializers.FloatField(), help_text="What each metric gained on the version before."
    )


class PriceChangeSerializer(serializers.Serializer[Any]):
    """A price in credits a row, and what it was before."""

    version = serializers.IntegerField(source="version.number")
    is_explained = serializers.BooleanField(help_text="Whether it is that of an explained row.")
    price_before = serializers.IntegerField()
    price_after = serializers.IntegerField()
    changed_at = serializers.DateTimeField()


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
    card = serializers.SerializerMethodField()
    changelog = serializers.SerializerMethodField()
    price_history = serializers.SerializerMethodField()

    @extend_schema_field(CardSerializer)
    def get_card(self, version: ModelVersion) -> Any:
        card = card_of(version)
        return CardSerializer({**card.words, "plots": card.plots}).data

    @extend_schema_field(ChangelogSerializer(many=True))
    def get_changelog(self, version: ModelVersion) -> Any:
        entries = history.changelog(model_id=version.model_id)
        return ChangelogSerializer(entries, many=True).data

    @extend_schema_field(PriceChangeSerializer(many=True))
    def get_price_history(self, version: ModelVersion) -> Any:
        changes = history.price_history(model_id=version.model_id)
        return PriceChangeSerializer(changes, many=True).data

    class Meta:
        model = ModelVersion
        fields = [
            "slug",
            "title",
            "description",
            "version",
            "status",
            "price",
            "explain_multiplier",
            "input_schema",
            "output_schema",
            "example",
            "metrics",
            "card",
            "created_at",
            "changelog",
            "price_history",
        ]


class ModelSummarySerializer(serializers.ModelSerializer[MLModel]):
    """A model as the catalogue lists it, with its stable version's number and price."""

    version = serializers.IntegerField(source="stable.number")
    price = serializers.IntegerField(source="stable.price")
    metrics: serializers.Field[Any, Any, Any, Any] = serializers.DictField(source="stable.metrics")

    class Meta:
        model = MLModel
        fields = ["slug", "title", "description", "version", "price", "metrics"]
