"""How a list of predictions is narrowed."""

from django_filters import rest_framework as filters

from predictions.models import Prediction


class PredictionFilter(filters.FilterSet):
    model = filters.CharFilter(field_name="version__model__slug")
    created_after = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Prediction
        fields = ["status", "source"]
