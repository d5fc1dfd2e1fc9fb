"""How a list of predictions is narrowed."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django_filters import fields
from django_filters import rest_framework as filters

from predictions.models import Prediction


class MomentField(fields.IsoDateTimeField):
    def clean(self, value: Any) -> datetime | None:
        """Give the moment in UTC: PostgreSQL knows fewer time zones than ISO 8601 can write."""
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise ValidationError("This moment lies outside the calendar.") from error


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentField


class PredictionFilter(filters.FilterSet):
    model = filters.CharFilter(field_name="version__model__slug")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Prediction
        fields = ["status", "source"]
