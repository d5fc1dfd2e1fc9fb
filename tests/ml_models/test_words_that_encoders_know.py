"""An encoder whose words are kept makes the same features as before, to the last bit."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from ml_models.known_words import WORDS_KEPT, KnownWords, has_words
from ml_models.quick import QuickColumns
from tests.ml_models.alike import assert_alike

SIZES, COLOURS, ANSWERS = ["S", "M", "L", "XL"], ["red", "green", "Ж", ""], ["yes", "no"]
LEARNT = np.array(
    [[1.5 * n, SIZES[n % 4], COLOURS[n // 2 % 4], ANSWERS[n // 3 % 2]] for n in range(48)],
    dtype=object,
)
WORDS = [3, 1, 2]

KEPT = [
    OrdinalEncoder(),
    OrdinalEncoder(categories=[ANSWERS, SIZES, COLOURS], dtype=np.int32),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    OneHotEncoder(),
    OneHotEncoder(sparse_output=False, dtype=np.float32),
    OneHotEncoder(drop="first", categories=[ANSWERS, SIZES, COLOURS]),
    OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
    OneHotEncoder(drop=["no", "L", "Ж"]),
]
LEFT = [
    OneHotEncoder(min_frequency=20),
    OneHotEncoder(max_categories=2),
    OrdinalEncoder(max_categories=2, handle_unknown="use_encoded_value", unknown_value=-1),
    OneHotEncoder(sparse_output=False).set_output(transform="default"),
    StandardScaler(),
]


def columns_of(encoder: Any, places: list[int]) -> ColumnTransformer:
    numbers = ("numbers", StandardScaler(), [0])
    return ColumnTransformer([("words", encoder, places), numbers], sparse_threshold=0).fit(LEARNT)


def kept_words(columns: ColumnTransformer) -> bool:
    return isinstance(QuickColumns(columns).parts[0][0], KnownWords)


@pytest.mark.parametrize("encoder", KEPT, ids=str)
@pytest.mark.parametrize("count", [1, 2, 7, 48])
def test_what_it_makes_of_words_it_has_learnt_is_the_same(encoder: Any, count: int) -> None:
    columns = columns_of(encoder, WORDS)

    assert kept_words(columns)
    assert_alike(QuickColumns(columns), columns, LEARNT[:count])
    assert_alike(QuickColumns(columns), columns, LEARNT[::-1][:count])


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("encoder", KEPT, ids=str)
@pytest.mark.parametrize(
    "odd", ["XXL", "s", "S ", None, float("nan"), 1, True, b"S", ["S"], np.str_("S")], ids=repr
)
def test_what_it_has_not_learnt_is_judged_by_the_encoder(encoder: Any, odd: Any) -> None:
    columns = columns_of(encoder, WORDS)
    for count in (1, 3):
        rows = LEARNT[:count].copy()
        rows[-1, 1] = odd

        assert_alike(QuickColumns(columns), columns, rows)


@pytest.mark.parametrize("encoder", KEPT, ids=str)
def test_no_rows_and_rows_of_another_width_are_refused_as_there(encoder: Any) -> None:
    columns = columns_of(encoder, WORDS)

    assert_alike(QuickColumns(columns), columns, LEARNT[:0])
    assert_alike(QuickColumns(columns), columns, LEARNT[:2, :3])


@pytest.mark.parametrize("encoder", LEFT, ids=str)
def test_any_other_transformer_is_asked_itself(encoder: Any) -> None:
    places = [0] if isinstance(encoder, StandardScaler) else WORDS
    columns = columns_of(encoder, places)

    assert not kept_words(columns)
    assert_alike(QuickColumns(columns), columns, LEARNT[:5])


@pytest.mark.parametrize("words", [[1, 2, 3], [1.5, 2.5], ["a", 1], ["a", None], ["a", np.nan]])
def test_what_learnt_other_than_words_is_asked_itself(words: list[Any]) -> None:
    rows = np.array([[word] for word in words], dtype=object)
    try:
        encoder = OneHotEncoder().fit(rows)
    except TypeError:  # it does not learn words and numbers together
        encoder = OneHotEncoder(categories=[np.array(words, dtype=object)])
        encoder.categories_ = encoder.categories

    assert not has_words(encoder)


def test_of_very_many_words_nothing_is_kept() -> None:
    most, more = ([f"word {n}" for n in range(count)] for count in (WORDS_KEPT, WORDS_KEPT + 1))

    assert has_words(OneHotEncoder().fit([[word] for word in most]))
    assert not has_words(OneHotEncoder().fit([[word] for word in more]))


def test_of_a_column_only_its_own_features_are_kept() -> None:
    encoder = OneHotEncoder(sparse_output=False).fit(LEARNT[:, 1:])

    kept = KnownWords(encoder).features

    assert [one.shape for one in kept] == [(4, 4), (4, 4), (2, 2)]
    assert all(one.base is None for one in kept)


def test_a_word_that_all_rows_have_may_make_no_feature() -> None:
    rows = np.array([["only", "a"], ["only", "b"]], dtype=object)
    encoder = OneHotEncoder(drop="first", sparse_output=False).fit(rows)

    made = KnownWords(encoder).transform(rows)

    assert made.tolist() == encoder.transform(rows).tolist() == [[0.0], [1.0]]
