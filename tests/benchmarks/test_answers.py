"""A figure stands on its answers: one that is not the estimator's ends the benchmark."""

import json

import pytest

from benchmarks.answers import WrongAnswer, check_pairs, check_samples
from benchmarks.load import Measured
from benchmarks.peers.mlserver import MLServer
from benchmarks.rows import FOREST, LINEAR, Model


def measured(*values: float) -> Measured:
    bodies = (json.dumps({"outputs": [{"data": [value]}]}) for value in values)
    return Measured(
        answered=len(values),
        otherwise=0,
        broken=0,
        late=0,
        seconds=1,
        p50_ms=1,
        p90_ms=1,
        p99_ms=1,
        max_ms=1,
        samples=tuple((200, body) for body in bodies),
    )


def test_samples_are_predictions_of_what_was_asked() -> None:
    model = Model(FOREST)
    expected = model.predict(model.rows(5))

    assert check_samples(MLServer(), model, measured(*expected), expected) == 5


@pytest.mark.parametrize(("slug", "factor"), [(FOREST, 1 + 1e-15), (LINEAR, 1 + 1e-11)])
def test_a_forest_is_right_to_the_last_bit_and_a_line_to_twelve_digits(
    slug: str, factor: float
) -> None:
    model = Model(slug)
    expected = model.predict(model.rows(5))

    with pytest.raises(WrongAnswer):
        check_samples(MLServer(), model, measured(expected[2] * factor), expected)


def test_the_last_bits_of_a_line_may_differ() -> None:
    model = Model(LINEAR)
    expected = model.predict(model.rows(5))

    assert check_samples(MLServer(), model, measured(expected[2] * (1 + 1e-14)), expected) == 1


def test_stored_outputs_are_compared_with_their_own_rows() -> None:
    model = Model(FOREST)
    one, other = model.rows(2)
    first, second = ([{"prediction": value}] for value in model.predict([one, other]))

    check_pairs(model, [(one, first), ([other], second)])
    with pytest.raises(WrongAnswer):
        check_pairs(model, [(one, second), (other, first)])
