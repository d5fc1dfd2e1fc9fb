"""Settling ends a prediction once and charges what was predicted, nothing else."""

import pytest
from django.db import connection

from accounts.models import User
from billing.models import LedgerEntry, Wallet
from ml_models import inference
from ml_models.models import ModelVersion
from predictions import runner
from predictions.errors import AlreadyFinished
from predictions.models import Prediction
from predictions.reaping import expire_old, fail_exhausted, return_expired_leases
from predictions.services import Outcome, cancel_prediction, claim, settle
from tests.conftest import make_prediction


def balance(user: User) -> tuple[int, int]:
    wallet = Wallet.objects.get(user=user)
    return wallet.balance, wallet.held


def reload(prediction: Prediction) -> Prediction:
    return Prediction.objects.get(pk=prediction.pk)


def let_lease_expire(prediction: Prediction) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE predictions_prediction SET lease_expires_at = now() - interval '1 s' "
            "WHERE id = %s",
            [prediction.pk],
        )


def test_a_prediction_runs_and_is_charged_once(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)

    first = runner.run([prediction.pk])
    again = runner.run([prediction.pk])

    assert (first, again) == (1, 0)
    done = reload(prediction)
    assert (done.status, done.cost, done.attempt) == ("succeeded", 1, 1)
    assert done.predict_seconds is not None
    assert balance(alice) == (999, 0)


def test_three_broken_rows_of_ten_come_back_in_order_and_are_free(
    alice: User, forest_version: ModelVersion
) -> None:
    row = forest_version.example
    missing = {key: value for key, value in row.items() if key != "carat"}
    rows = [row] * 10
    rows[2], rows[5], rows[8] = {**row, "cut": "Superb"}, {**row, "carat": "heavy"}, missing

    prediction = make_prediction(alice, model="random-forest", input=rows)
    runner.run([prediction.pk])

    done = reload(prediction)
    output = done.output_value
    assert output is not None
    assert [entry["index"] for entry in output] == list(range(10))
    broken = {entry["index"]: entry["errors"][0]["code"] for entry in output if "errors" in entry}
    assert broken == {2: "category", 5: "type", 8: "missing"}
    assert sum(entry["status"] == "succeeded" for entry in output) == 7
    assert done.cost == 7 * forest_version.price
    assert balance(alice) == (1_000 - 35, 0)


def test_a_group_of_many_users_equals_each_alone(
    alice: User, bob: User, forest_version: ModelVersion
) -> None:
    row = forest_version.example
    ours = [
        make_prediction(user, model="random-forest", input=[{**row, "carat": carat}])
        for user, carat in ((alice, 0.3), (bob, 0.9), (alice, 1.4))
    ]

    runner.run([prediction.pk for prediction in ours])

    estimator = inference.load(forest_version)
    for prediction in ours:
        sent = prediction.input_value[0]
        features = [sent[name] for name in forest_version.input_schema["properties"]]
        alone = inference.predict(version=forest_version, rows=[features])
        output = reload(prediction).output_value
        assert output is not None
        assert output[0]["prediction"] == alone[0]
    assert estimator is inference.load(forest_version)
    assert (balance(alice), balance(bob)) == ((990, 0), (995, 0))


def test_a_row_outside_the_training_range_is_predicted_billed_and_warned_of(
    alice: User, published_version: ModelVersion
) -> None:
    rows = [{**published_version.example, "carat": 40.0}]

    prediction = make_prediction(alice, input=rows)
    runner.run([prediction.pk])

    output = reload(prediction).output_value
    assert output is not None
    assert output[0]["warnings"] == [{"field": "carat", "code": "outside_training_range"}]
    assert reload(prediction).cost == 1


def test_a_non_finite_prediction_is_a_failed_row_and_free(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = published_version.example
    monkeypatch.setattr(inference, "predict", lambda version, rows: [1.0, float("inf")])

    prediction = make_prediction(alice, input=[row, row])
    runner.run([prediction.pk])

    done = reload(prediction)
    assert done.output_value is not None
    assert [entry["status"] for entry in done.output_value] == ["succeeded", "failed"]
    assert (done.status, done.cost) == ("succeeded", 1)
    assert balance(alice) == (999, 0)


def test_nothing_finite_at_all_is_a_failed_prediction_and_free(
    alice: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "predict", lambda version, rows: [float("nan")])

    prediction = make_prediction(alice)
    runner.run([prediction.pk])

    done = reload(prediction)
    assert (done.status, done.error_code) == ("failed", "non_finite_prediction")
    assert balance(alice) == (1_000, 0)


def test_a_request_that_breaks_the_model_fails_alone(
    alice: User, bob: User, published_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = inference.predict

    def choke_on_poison(
        version: ModelVersion, rows: list[list[float]]
    ) -> list[inference.Predicted]:
        if any(row[-1] == 66.0 for row in rows):
            raise ValueError("poison")
        return real(version=version, rows=rows)

    last = list(published_version.input_schema["properties"])[-1]
    monkeypatch.setattr(inference, "predict", choke_on_poison)
    bad = make_prediction(alice, input=[{**published_version.example, last: 66.0}])
    good = make_prediction(bob)

    runner.run([bad.pk, good.pk])

    assert (reload(bad).status, reload(bad).error_code) == ("failed", "prediction_failed")
    assert reload(good).status == "succeeded"
    assert (balance(alice), balance(bob)) == ((1_000, 0), (999, 0))


def test_a_worker_that_lost_its_lease_cannot_settle(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)
    (lost,) = claim([prediction.pk])
    let_lease_expire(prediction)
    return_expired_leases()
    (current,) = claim([prediction.pk])

    late = settle([Outcome(lost.id, lost.attempt, "succeeded", cost=1, output="[]")])
    settled = settle([Outcome(current.id, current.attempt, "failed", error_code="x")])

    assert (late, settled) == (0, 1)
    assert reload(prediction).status == "failed"
    assert balance(alice) == (1_000, 0)


def test_a_prediction_that_loses_every_worker_fails_and_is_released(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)
    for _ in range(3):
        assert len(claim([prediction.pk])) == 1
        let_lease_expire(prediction)
        return_expired_leases()

    assert fail_exhausted() == 1

    assert reload(prediction).error_code == "attempts_exhausted"
    assert balance(alice) == (1_000, 0)


def test_a_prediction_that_waited_too_long_expires_with_its_hold(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)
    Prediction.objects.filter(pk=prediction.pk).update(created_at="2020-01-01T00:00:00Z")

    assert expire_old() == 1

    assert (reload(prediction).status, reload(prediction).error_code) == ("failed", "expired")
    assert balance(alice) == (1_000, 0)


def test_canceling_what_waits_releases_at_once_and_again_changes_nothing(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)

    cancel_prediction(prediction=prediction)
    again = cancel_prediction(prediction=reload(prediction))

    assert again.status == "canceled"
    assert runner.run([prediction.pk]) == 0
    assert balance(alice) == (1_000, 0)


def test_canceling_what_runs_makes_it_free_at_its_end(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)
    (held,) = claim([prediction.pk])

    asked = cancel_prediction(prediction=reload(prediction))
    settle([Outcome(held.id, held.attempt, "succeeded", cost=1, output="[]")])

    assert (asked.status, asked.cancel_requested_at is not None) == ("processing", True)
    done = reload(prediction)
    assert (done.status, done.cost, done.output) == ("canceled", 0, None)
    assert balance(alice) == (1_000, 0)
    assert LedgerEntry.objects.filter(wallet__user=alice, kind="capture").count() == 0


def test_canceling_what_is_finished_is_refused(
    alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)
    runner.run([prediction.pk])

    with pytest.raises(AlreadyFinished):
        cancel_prediction(prediction=reload(prediction))

    assert balance(alice) == (999, 0)
