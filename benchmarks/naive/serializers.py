"""A row of the two shipped models, field by field."""

from typing import Any

from rest_framework import serializers


class RowSerializer(serializers.Serializer[Any]):
    carat = serializers.FloatField(min_value=0.01)
    cut = serializers.CharField()
    color = serializers.CharField()
    clarity = serializers.CharField()
    depth = serializers.FloatField()
    table = serializers.FloatField()
    x = serializers.FloatField()
    y = serializers.FloatField()
    z = serializers.FloatField()


class RequestSerializer(serializers.Serializer[Any]):
    model = serializers.SlugField()
    input = RowSerializer()
