"""The shapes of a model's card in the API: what it is for, what it learnt from, how well."""

from typing import Any

from rest_framework import serializers


class CleaningSerializer(serializers.Serializer[Any]):
    """Rows that were left out, and why."""

    reason = serializers.CharField()
    rows = serializers.IntegerField()


class BandSerializer(serializers.Serializer[Any]):
    """Held-out rows of about one actual value: eight in ten were predicted from low to high."""

    actual = serializers.FloatField(help_text="Their mean.")
    low = serializers.FloatField()
    middle = serializers.FloatField(help_text="The median prediction.")
    high = serializers.FloatField()
    rows = serializers.IntegerField()


class BinSerializer(serializers.Serializer[Any]):
    """Held-out rows whose actual value minus the predicted one lies between start and end."""

    start = serializers.FloatField()
    end = serializers.FloatField()
    count = serializers.IntegerField()


class InfluenceSerializer(serializers.Serializer[Any]):
    """What a column, or one category of it, weighs; `function` is what it goes through first."""

    column = serializers.CharField()
    category = serializers.JSONField(allow_null=True)
    function = serializers.CharField(allow_blank=True)
    value = serializers.FloatField()


class InfluencesSerializer(serializers.Serializer[Any]):
    """Importances add up to 1; coefficients are those of the target, or of a function of it."""

    kind = serializers.ChoiceField(["importances", "coefficients"])
    target_function = serializers.CharField(allow_blank=True)
    rows = InfluenceSerializer(many=True)


class ConfusionSerializer(serializers.Serializer[Any]):
    """How many rows of each label, line by line, were predicted as which."""

    labels = serializers.ListField(child=serializers.JSONField())
    counts = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class PlotsSerializer(serializers.Serializer[Any]):
    """What the plots of the card are drawn from; what was not measured is left out."""

    predicted = BandSerializer(many=True, required=False)
    residuals = BinSerializer(many=True, required=False)
    influences = InfluencesSerializer(required=False)
    confusion = ConfusionSerializer(required=False)


class CardSerializer(serializers.Serializer[Any]):
    """What a version is for and what it learnt from; what was not said is left out."""

    intended_use = serializers.CharField(required=False)
    not_for = serializers.CharField(required=False)
    # A declared field takes no attribute's place: the class that is made has none of them.
    data = serializers.CharField(  # type: ignore[assignment]
        required=False, help_text="What the rows are."
    )
    origin = serializers.CharField(required=False, help_text="Where the data come from.")
    licence = serializers.CharField(required=False)
    rows = serializers.IntegerField(required=False, help_text="Before anything was left out.")
    training_rows = serializers.IntegerField(required=False)
    test_rows = serializers.IntegerField(required=False)
    cleaning = CleaningSerializer(many=True, required=False)
    plots = PlotsSerializer()
