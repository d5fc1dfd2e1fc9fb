"""Goal: metrics and plots say of the rows held out what is so, in bounded data."""

import numpy as np
import pytest

from ml_models.pipeline.measuring import (
    GROUPS,
    classification_metrics,
    classification_plots,
    regression_metrics,
    regression_plots,
)

LABELS = ["cheap", "dear"]


def measured(rows: int, *, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(7)
    actual = chance.lognormal(7, 1, rows)
    return actual, actual + chance.standard_t(2, rows) * spread


def test_errors_are_in_the_unit_of_the_target() -> None:
    metrics = regression_metrics([10.0, 20.0, 30.0], [11.0, 18.0, 30.0])

    assert metrics == {"mae": 1.0, "rmse": 1.29, "r2": 0.975}


def test_errors_of_small_values_keep_their_digits() -> None:
    assert regression_metrics([0.001, 0.003], [0.0011234, 0.0029])["mae"] == 0.0001117


def test_bands_part_all_rows_evenly_by_what_was_so() -> None:
    actual, predicted = measured(1_003)

    bands = regression_plots(actual, predicted)["predicted"]

    assert len(bands) == GROUPS
    assert sum(band["rows"] for band in bands) == 1_003
    assert {band["rows"] for band in bands} == {50, 51}
    assert [band["actual"] for band in bands] == sorted(band["actual"] for band in bands)
    assert all(band["low"] <= band["middle"] <= band["high"] for band in bands)


def test_a_band_holds_eight_in_ten_predictions() -> None:
    # As many rows of each actual value as fill one group.
    actual = np.repeat(np.arange(float(GROUPS)), 101)
    predicted = np.tile(np.arange(101.0), GROUPS)

    bands = regression_plots(actual, predicted)["predicted"]

    assert {(band["low"], band["middle"], band["high"]) for band in bands} == {(10.0, 50.0, 90.0)}


def test_a_few_rows_make_as_many_bands() -> None:
    bands = regression_plots([3.0, 1.0, 2.0], [3.5, 1.5, 2.5])["predicted"]

    assert [(band["actual"], band["middle"], band["rows"]) for band in bands] == [
        (1.0, 1.5, 1),
        (2.0, 2.5, 1),
        (3.0, 3.5, 1),
    ]


@pytest.mark.parametrize("spread", [1e-9, 1.0, 1e9])
def test_every_residual_is_counted_in_one_of_at_most_forty_bins(spread: float) -> None:
    actual, predicted = measured(5_000, spread=spread)
    if spread < 1:
        actual, predicted = actual / 1e6, predicted / 1e6

    bins = regression_plots(actual, predicted)["residuals"]

    assert sum(one["count"] for one in bins) == 5_000
    assert 5 <= len(bins) <= 40
    assert [one["end"] for one in bins[:-1]] == [one["start"] for one in bins[1:]]
    assert bins[0]["start"] == pytest.approx((actual - predicted).min(), rel=1e-5)
    assert bins[-1]["end"] == pytest.approx((actual - predicted).max(), rel=1e-5)


def test_a_residual_is_what_was_so_minus_what_was_predicted() -> None:
    bins = regression_plots([10.0] * 8, [7.0] * 4 + [10.0] * 4)["residuals"]

    counted = {(one["start"], one["end"]): one["count"] for one in bins if one["count"]}
    assert sum(n for (start, _), n in counted.items() if start >= 2.5) == 4
    assert all(start >= 0 for start, _ in counted)


def test_a_perfect_model_has_one_bin_at_zero() -> None:
    bins = regression_plots([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])["residuals"]

    assert bins == [{"start": 0.0, "end": 1.0, "count": 3}]


@pytest.mark.parametrize("missed", [999_999.0, -5_000_000.0, 3e12])
@pytest.mark.parametrize("spread", [0.0, 30.0])
def test_the_bins_of_an_error_far_from_zero_have_a_width(missed: float, spread: float) -> None:
    predicted = np.zeros(50)

    bins = regression_plots(predicted + missed + np.linspace(0, spread, 50), predicted)["residuals"]

    assert sum(one["count"] for one in bins) == 50
    assert all(one["start"] < one["end"] for one in bins)


def test_a_classifier_is_measured_by_its_labels_and_its_probabilities() -> None:
    actual, predicted = ["cheap", "dear", "dear", "dear"], ["cheap", "dear", "cheap", "dear"]
    probable = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]

    metrics = classification_metrics(actual, predicted, LABELS, probable)

    right = [0.9, 0.8, 0.4, 0.5]
    assert metrics == {"accuracy": 0.75, "log_loss": round(-float(np.mean(np.log(right))), 4)}
    assert classification_metrics(actual, predicted, LABELS) == {"accuracy": 0.75}


def test_a_confusion_matrix_counts_line_by_line_what_was_so() -> None:
    plots = classification_plots(["cheap", "dear", "dear"], ["cheap", "cheap", "dear"], LABELS)

    assert plots == {"confusion": {"labels": LABELS, "counts": [[1, 0], [1, 1]]}}


def test_very_many_labels_are_not_crossed() -> None:
    labels = list(range(21))

    assert classification_plots(labels, labels, labels) == {}
    assert len(classification_plots(labels[:20], labels[:20], labels[:20])["confusion"]) == 2
