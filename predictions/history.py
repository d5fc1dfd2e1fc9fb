"""The only place that narrows the history of predictions."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import BooleanField, F, Func, JSONField, Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy

from billing.models import MAX_AMOUNT
from ml_models.models import MLModel
from predictions.models import Prediction, PredictionQuerySet

SHORTEST_BEGINNING = 8
ID_DIGITS = 32
IN_THE_CALENDAR = (MinValueValidator(date(1971, 1, 1)), MaxValueValidator(date(9998, 1, 1)))
MAX_VERSION = 2**31 - 1


@dataclass(frozen=True, slots=True)
class IdRange:
    """All ids with the same beginning."""

    first: UUID
    last: UUID


def ids_beginning(text: str) -> IdRange | None:
    """Return the ids that begin so, or the one of a whole id; None for what is no beginning.

    A range is found by an index; comparing ids as text would read every row.
    """
    digits = text.strip().replace("-", "").lower()
    if not SHORTEST_BEGINNING <= len(digits) <= ID_DIGITS or set(digits) - set("0123456789abcdef"):
        return None
    return IdRange(UUID(digits.ljust(ID_DIGITS, "0")), UUID(digits.ljust(ID_DIGITS, "f")))


class IdField(forms.CharField):
    """A whole id or its beginning."""

    default_error_messages = {
        "unknown": gettext_lazy("An id, or at least its first 8 characters."),
    }

    def clean(self, value: Any) -> IdRange | None:
        text = super().clean(value)
        found = ids_beginning(text)
        if text and found is None:
            raise forms.ValidationError(self.error_messages["unknown"], code="unknown")
        return found


class DayField(forms.DateField):
    default_validators = [*IN_THE_CALENDAR]
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


if TYPE_CHECKING:
    ModelChoice = forms.ModelChoiceField[MLModel]
else:
    ModelChoice = forms.ModelChoiceField


class ModelField(ModelChoice):
    """A model by its title in the reader's language."""

    def label_from_instance(self, model: Any) -> str:
        return str(model.local_title)


class HistoryForm(forms.Form):
    """Narrows the history; both days and both costs are included."""

    model = ModelField(
        label=gettext_lazy("Model"),
        queryset=MLModel.objects.order_by("slug"),
        to_field_name="slug",
        empty_label=gettext_lazy("All models"),
        required=False,
    )
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        choices=[("", gettext_lazy("Any status")), *Prediction.Status.choices],
        required=False,
    )
    since = DayField(label=gettext_lazy("From"), required=False)
    until = DayField(label=gettext_lazy("To"), required=False)
    id = IdField(
        label=gettext_lazy("Id, or its beginning"),
        max_length=36,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        required=False,
    )
    version = forms.IntegerField(
        label=gettext_lazy("Version"), min_value=1, max_value=MAX_VERSION, required=False
    )
    source = forms.ChoiceField(
        label=gettext_lazy("Sent by"),
        choices=[("", gettext_lazy("Any way")), *Prediction.Source.choices],
        required=False,
    )
    cost_from = forms.IntegerField(
        label=gettext_lazy("Cost from, credits"), min_value=0, max_value=MAX_AMOUNT, required=False
    )
    cost_to = forms.IntegerField(
        label=gettext_lazy("Cost to, credits"), min_value=0, max_value=MAX_AMOUNT, required=False
    )
    explained = forms.ChoiceField(
        label=gettext_lazy("Explanations"),
        choices=[
            ("", gettext_lazy("With or without")),
            ("yes", gettext_lazy("With")),
            ("no", gettext_lazy("Without")),
        ],
        required=False,
    )
    metadata = forms.CharField(
        label=gettext_lazy("Metadata: a value, or key=value"), max_length=241, required=False
    )

    ALWAYS_SHOWN = ("model", "status", "since", "until")

    @property
    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.ALWAYS_SHOWN]

    @property
    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.ALWAYS_SHOWN]

    @property
    def is_narrowed(self) -> bool:
        return any(self.data.get(name) for name in self.fields)

    @property
    def is_open(self) -> bool:
        """Say whether one of the filters that are folded away is filled in."""
        return any(field.data for field in self.more_fields)

    def narrow(self, predictions: PredictionQuerySet) -> PredictionQuerySet:
        """Apply what is filled in and valid."""
        self.is_valid()
        for name, value in self.cleaned_data.items():
            if value not in (None, ""):
                predictions = NARROW[name](predictions, value)
        return predictions


def of_ids(predictions: PredictionQuerySet, ids: IdRange) -> PredictionQuerySet:
    return predictions.filter(pk__gte=ids.first, pk__lte=ids.last)


def midnight(day: date) -> datetime:
    """Return when a day begins where the reader lives."""
    return timezone.make_aware(datetime.combine(day, time.min))


def with_metadata(predictions: PredictionQuerySet, text: str) -> PredictionQuerySet:
    """Take those that have this value under any key, or under the key that is named."""
    has_value = Func(
        F("metadata"),
        Value("$.* ? (@ == $value)"),
        Value({"value": text}, JSONField()),
        function="jsonb_path_exists",
        output_field=BooleanField(),
    )
    key, is_named, value = text.partition("=")
    with_pair = Q(metadata__contains={key.strip(): value.strip()})
    return predictions.filter(Q(has_value) | with_pair if is_named else has_value)


NARROW: dict[str, Any] = {
    "model": lambda predictions, model: predictions.filter(version__model=model),
    "status": lambda predictions, status: predictions.filter(status=status),
    "since": lambda predictions, day: predictions.sent_since(midnight(day)),
    "until": lambda predictions, day: predictions.sent_before(midnight(day + timedelta(days=1))),
    "id": of_ids,
    "version": lambda predictions, number: predictions.filter(version__number=number),
    "source": lambda predictions, source: predictions.filter(source=source),
    "cost_from": lambda predictions, cost: predictions.filter(cost__gte=cost),
    "cost_to": lambda predictions, cost: predictions.filter(cost__lte=cost),
    "explained": lambda predictions, said: predictions.filter(explain=said == "yes"),
    "metadata": with_metadata,
}
