"""The only place that keeps what encoders make of words: a fitted one is asked once for each."""

from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from ml_models.parts import dense

# What is kept grows with their square: 8 MB for so many in one column.
WORDS_KEPT = 1_000


class KnownWords:
    """A fitted encoder: what it makes of each word that it knows is asked of it once and kept."""

    def __init__(self, encoder: OrdinalEncoder | OneHotEncoder) -> None:
        self.encoder = encoder
        self.places = [{word: at for at, word in enumerate(one)} for one in encoder.categories_]
        self.features = [self._features_of(column) for column in range(len(self.places))]

    def _features_of(self, column: int) -> Any:
        """Return the features that this column makes: one row for each of its words."""
        words = self.encoder.categories_
        rows = np.array([[one[0] for one in words]] * len(words[column]), dtype=object)
        rows[:, column] = words[column]
        ends = np.cumsum(widths_of(self.encoder))[:-1]
        # A copy: what other columns made need not be kept.
        return np.split(dense(self.encoder.transform(rows)), ends, axis=1)[column].copy()

    def transform(self, rows: Any) -> Any:
        """Return n rows of features; what is not known is left to the encoder."""
        if not isinstance(rows, np.ndarray) or rows.ndim != 2 or not len(rows):
            return self.encoder.transform(rows)
        try:
            found = [
                [places[word] for word in words]
                for places, words in zip(self.places, rows.T, strict=True)
            ]
        except (KeyError, TypeError, ValueError):
            return self.encoder.transform(rows)
        return np.hstack([of[at] for of, at in zip(self.features, found, strict=True)])


def has_words(transformer: Any) -> bool:
    """Say whether it is an encoder that learnt words and nothing else, and not too many."""
    return (
        type(transformer) in (OrdinalEncoder, OneHotEncoder)
        and not hasattr(transformer, "_sklearn_output_config")
        and transformer.min_frequency is None
        and transformer.max_categories is None
        and sum(map(len, transformer.categories_)) <= WORDS_KEPT
        and all(type(word) is str for words in transformer.categories_ for word in words)
    )


def widths_of(encoder: OrdinalEncoder | OneHotEncoder) -> list[int]:
    """Return how many features each column makes."""
    if isinstance(encoder, OrdinalEncoder):
        return [1] * len(encoder.categories_)
    dropped = encoder.drop_idx_
    if dropped is None:
        dropped = [None] * len(encoder.categories_)
    pairs = zip(encoder.categories_, dropped, strict=True)
    return [len(words) - (word is not None) for words, word in pairs]
