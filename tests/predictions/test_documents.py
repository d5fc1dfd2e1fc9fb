"""Goal: what the API says by hand is what its serializers declare, wherever it says it.

Method: predictions of each status are asked for in every way that there is; odd bodies are read
by both readers of a request.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.test import RequestFactory
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIClient

from accounts.models import User
from ml_models.models import ModelVersion
from predictions import runner
from predictions.api import documents
from predictions.api.serializers import (
    MetricsSerializer,
    PlainRequest,
    PredictionRequestSerializer,
    PredictionSerializer,
    PredictionSummarySerializer,
    RowsInField,
    RowsOutField,
    UrlsSerializer,
    read_request,
)
from predictions.models import Prediction
from predictions.services import cancel_prediction
from tests.conftest import make_prediction

PATH = "/api/v1/predictions"
ROOT = "https://ml.example.com"

ApiOf = Callable[[User], APIClient]


def stored(prediction: Prediction) -> Prediction:
    return Prediction.objects.with_version().get(pk=prediction.pk)


def waiting(user: User) -> Prediction:
    return stored(make_prediction(user, metadata={"order": "42"}, cancel_after_seconds=60))


def succeeded(user: User) -> Prediction:
    rows = [ModelVersion.objects.get().example, {"nonsense": "<&\u2028\U0001f48e"}]
    made = make_prediction(user, input=rows)
    runner.run([made.pk])
    return stored(made)


def canceled(user: User) -> Prediction:
    made = make_prediction(user)
    cancel_prediction(prediction=made)
    return stored(made)


def failed(user: User) -> Prediction:
    made = canceled(user)
    Prediction.objects.filter(pk=made.pk).update(
        status="failed", error="It took too long.", error_code="timeout"
    )
    return stored(made)


def asked_to_cancel(user: User) -> Prediction:
    made = make_prediction(user)
    now = datetime.now(UTC)
    Prediction.objects.filter(pk=made.pk).update(
        status="processing", started_at=now, cancel_requested_at=now + timedelta(seconds=1)
    )
    return stored(made)


every_status = pytest.mark.parametrize(
    "make", [waiting, succeeded, canceled, failed, asked_to_cancel]
)


def declared(serializer: type[Any]) -> list[str]:
    return list(serializer().get_fields())


@every_status
def test_the_documents_have_exactly_the_fields_that_are_declared(
    alice: User, published_version: ModelVersion, make: Callable[[User], Prediction]
) -> None:
    prediction = make(alice)

    summary, whole = documents.summary(prediction, ROOT), documents.whole(prediction, ROOT)

    assert list(summary) == declared(PredictionSummarySerializer)
    assert list(whole) == declared(PredictionSerializer)
    assert list(summary["metrics"]) == declared(MetricsSerializer)
    assert list(summary["urls"]) == declared(UrlsSerializer)


class AsDeclared(PredictionSerializer):
    """Says by its declared fields what `documents` says by hand."""

    model = serializers.CharField(source="version.model.slug")
    version = serializers.IntegerField(source="version.number")
    input = RowsInField(source="input_value")
    output = RowsOutField(source="output_value")

    def to_representation(self, prediction: Prediction) -> dict[str, Any]:
        return super(PredictionSummarySerializer, self).to_representation(prediction)

    def get_fields(self) -> Any:
        made_by_hand = ("metrics", "urls", "error", "error_code")
        return {
            name: field for name, field in super().get_fields().items() if name not in made_by_hand
        }


@every_status
def test_the_documents_say_what_the_declared_fields_would(
    alice: User, published_version: ModelVersion, make: Callable[[User], Prediction]
) -> None:
    prediction = make(alice)

    by_hand = json.loads(documents.encoded(prediction, ROOT))

    by_fields = json.loads(json.dumps(AsDeclared(prediction).data, default=str))
    assert {name: by_hand[name] for name in by_fields} == by_fields
    assert by_hand["error"] == (prediction.error or None)
    assert by_hand["error_code"] == (prediction.error_code or None)


@every_status
def test_it_is_told_alike_in_the_list_and_by_itself(
    api: ApiOf,
    alice: User,
    published_version: ModelVersion,
    make: Callable[[User], Prediction],
) -> None:
    prediction = make(alice)
    root = "http://testserver"

    [listed] = api(alice).get(PATH).json()["results"]
    alone = api(alice).get(f"{PATH}/{prediction.pk}").json()

    assert alone == json.loads(documents.encoded(prediction, root))
    assert listed == {
        name: value for name, value in alone.items() if name not in ("input", "output")
    }


def test_the_answer_to_a_request_is_what_is_read_afterwards(
    api: ApiOf, alice: User, published_version: ModelVersion
) -> None:
    client, body = api(alice), {"model": "linear-regression", "input": published_version.example}
    headers = {"Idempotency-Key": "order-1", "Cancel-After": "60s"}
    asked = body | {"metadata": {"a": "ж", "b": ""}}

    answer = client.post(PATH, asked, format="json", headers=headers)
    again = client.post(PATH, asked, format="json", headers=headers)

    read = client.get(answer["Location"])
    assert answer.json() == again.json() == read.json()
    assert answer["Content-Type"] == read["Content-Type"] == "application/json"
    assert answer["Location"] == read.json()["urls"]["get"] == again["Location"]
    assert answer.json()["deadline"] is not None


def test_a_cancellation_is_answered_with_what_is_read_afterwards(
    api: ApiOf, alice: User, published_version: ModelVersion
) -> None:
    prediction, client = waiting(alice), api(alice)

    answer = client.post(f"{PATH}/{prediction.pk}/cancel")

    assert answer.json() == client.get(f"{PATH}/{prediction.pk}").json()
    assert answer.json()["status"] == "canceled"


def test_addresses_are_those_under_which_it_is_found(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = waiting(alice)

    urls = documents.summary(prediction, ROOT)["urls"]

    here = [prediction.pk]
    assert urls == {
        "get": ROOT + reverse("api_prediction", args=here),
        "cancel": ROOT + reverse("api_prediction_cancel", args=here),
        "web": ROOT + reverse("prediction", args=here),
    }
    assert documents.address(prediction, ROOT) == urls["get"]
    assert urls["web"] == ROOT + prediction.get_absolute_url()


@pytest.mark.parametrize(
    ("secure", "host"), [(False, "testserver"), (True, "testserver"), (False, "testserver:8080")]
)
def test_addresses_begin_where_the_service_was_asked(secure: bool, host: str) -> None:
    request = RequestFactory().get("/", secure=secure, headers={"Host": host})

    assert documents.root_of(request) == request.build_absolute_uri("/")[:-1]


def test_what_was_sent_is_laid_in_as_it_is_stored(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = waiting(alice)
    # No reader would spell it so.
    prediction.input = '[ {"a": 1e2, "b" : 10000000000000000000001, "a": "\\u0041"} ]'

    assert prediction.input in documents.encoded(prediction, ROOT).decode()


def test_moments_are_spelt_as_everywhere() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC)

    assert documents.said(at) == "2026-01-02T03:04:05.000060Z"
    assert documents.said(at.replace(microsecond=0)) == "2026-01-02T03:04:05Z"
    assert documents.said(None) is None


names = st.sampled_from(["model", "input", "version", "explain", "metadata", "extra", "Model", ""])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([2**31 - 1, 2**31, 2**63, 2**70, 1.0, 2.0, 0.5, -0.0, 2147483647.0, 1e22])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["1", " 1", "1.0", "true", "True", "no", "on", "model", " model ", "a\n"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
slugs = (
    st.sampled_from(["m", "M-_9", "linear-regression", "a" * 80, "a" * 81, "a\n", "ä", "a b", ""])
    | st.from_regex(r"[-a-zA-Z0-9_]{1,5}\s?", fullmatch=True)
    | scalars
)
near = st.fixed_dictionaries(
    {"model": slugs, "input": values},
    optional={
        "version": scalars,
        "explain": scalars,
        "metadata": st.dictionaries(st.text(max_size=3), scalars, max_size=3) | scalars,
        "extra": scalars,
    },
)
bodies = near | st.dictionaries(names, values, max_size=5) | values


def by_serializer(body: Any) -> Any:
    """Return what the serializer makes of a body, or what it says against it."""
    request = PredictionRequestSerializer(data=body)
    return dict(request.validated_data) if request.is_valid() else request.errors


def by_reader(body: Any) -> Any:
    try:
        return read_request(body)
    except ValidationError as refusal:
        return refusal.detail


def spelt(value: Any) -> str:
    """Tell 1 from True and from 1.0, which are equal."""
    return repr(sorted(value.items())) if isinstance(value, dict) else repr(value)


@settings(max_examples=1_500, deadline=None)
@given(bodies)
def test_both_readers_make_the_same_of_a_body(body: Any) -> None:
    body = msgspec.json.decode(msgspec.json.encode(body))

    assert spelt(by_reader(body)) == spelt(by_serializer(body))


@settings(max_examples=500, deadline=None)
@given(near)
def test_the_plain_way_passes_nothing_that_the_serializer_refuses(body: Any) -> None:
    try:
        plain = msgspec.convert(body, PlainRequest)
    except msgspec.ValidationError:
        return

    request = PredictionRequestSerializer(data=body)

    assert request.is_valid(), request.errors
    assert plain.model == request.validated_data["model"]


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "input": {"a": 1}},
        {"model": "m", "input": [{"a": 1}, 7], "version": 2},
        {"model": "m", "input": [], "explain": True},
    ],
)
def test_what_is_plain_is_spared_the_serializer(
    monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    monkeypatch.setattr(PredictionRequestSerializer, "is_valid", None)

    assert read_request(body) == {"explain": False} | body


def test_a_body_is_not_changed_by_reading_it() -> None:
    body = {"model": "m", "input": {"a": [1, {"b": 2}]}}
    rows = read_request(body)["input"]

    rows["a"] = None

    assert body == {"model": "m", "input": {"a": [1, {"b": 2}]}}
