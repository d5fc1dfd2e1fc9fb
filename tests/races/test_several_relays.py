"""Several relays may run: each row goes out in one message."""

from uuid import UUID

import pytest
from django.conf import settings

from ml_models.models import ModelVersion
from predictions.models import Prediction
from predictions.publisher import Publisher
from predictions.relay import Relay
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

RELAYS = 4
PEOPLE = 5
EACH = 12


def test_each_prediction_is_published_by_one_relay(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [make_user(f"person{number}", credits=EACH) for number in range(PEOPLE)]
    ids = [make_prediction(person).pk for person in people for _ in range(EACH)]
    published: list[tuple[UUID, UUID]] = []
    monkeypatch.setattr(settings, "PREDICTION_GROUP_MAX_ROWS", 7)
    monkeypatch.setattr(
        Publisher,
        "publish",
        lambda self, queue, group, own: published.extend(
            (group, prediction_id) for prediction_id in own
        ),
    )

    def publish_all() -> int:
        relay, groups = Relay(), 0
        while relay.publish_group() or Prediction.objects.filter(published_at=None).exists():
            groups += 1
        return groups

    results(at_once([publish_all] * RELAYS))

    assert sorted(prediction_id for _, prediction_id in published) == sorted(ids)
    stored = Prediction.objects.values_list("group_id", "pk")
    assert sorted(published) == sorted(stored)
