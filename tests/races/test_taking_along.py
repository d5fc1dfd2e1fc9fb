"""Children take along what others mark at the same moment: each prediction has one of them."""

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from ml_models.models import ModelVersion
from mlservice.lib.ids import new_id
from predictions import runner, staying
from predictions.dispatch import mark_group, take_group
from predictions.lanes import INTERACTIVE
from predictions.models import Prediction
from predictions.services import Claim
from tests.conftest import make_prediction, make_user
from tests.races.threads import at_once, results

PEOPLE = 4
EACH = 15
CHILDREN = 3


def test_each_prediction_is_settled_once(
    published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [make_user(f"person{number}", credits=EACH) for number in range(PEOPLE)]
    for person in people:
        for _ in range(EACH):
            make_prediction(person)
    along: list[UUID] = []

    def watched(*where: Any, **whose: Any) -> list[Claim]:
        taken = take_group(*where, **whose)
        along.extend(one.id for one in taken)
        return taken

    monkeypatch.setattr(staying, "at_most", lambda: 0.02)
    monkeypatch.setattr(staying, "take_group", watched)

    def work(child: str) -> int:
        settled = 0
        while Prediction.objects.exclude(status="succeeded").exists():
            group_id = new_id()
            ids: list[UUID] = mark_group(group_id, max_rows=2).ids
            settled += runner.run(ids, group_id=group_id, claimed_by=child, lane=INTERACTIVE)
        return settled

    settled = results(at_once([partial(work, f"child{number}") for number in range(CHILDREN)]))

    assert sum(settled) == PEOPLE * EACH
    assert len(set(along)) == len(along) > 0
    assert set(Prediction.objects.values_list("status", "attempt")) == {("succeeded", 1)}
