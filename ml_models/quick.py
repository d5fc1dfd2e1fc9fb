"""The only place that spares estimators what scikit-learn does around them for every call.

For the few rows of a request that takes longer than predicting them: tasks and settings for each
part, made for work that lasts. The parts are asked as scikit-learn asks them, in its order, so
that the answers are the same to the last bit; whatever is made otherwise is left as it is.
"""

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from ml_models.forests import WalkedForest, is_walkable
from ml_models.formats import Estimator
from ml_models.parts import SEARCHES, transformed, transformers_of

# What is kept grows with their square: 8 MB for so many in one column.
WORDS_KEPT = 1_000


def quick(estimator: Any) -> Estimator:
    """Return what gives the estimator's answers sooner, or the estimator itself."""
    while isinstance(estimator, SEARCHES):
        estimator = estimator.best_estimator_
    if is_walkable(estimator):
        return WalkedForest(estimator)
    if type(estimator) is Pipeline:
        return QuickPipeline(estimator)
    found: Estimator = estimator
    return found


class QuickPipeline:
    """A fitted pipeline: its transformers one after another, then what predicts."""

    def __init__(self, pipeline: Pipeline) -> None:
        steps = transformers_of(pipeline)
        self.transformers = [QuickColumns(one) if is_plain(one) else one for one in steps]
        self.last: Any = quick(pipeline.steps[-1][1])

    def predict(self, rows: Any) -> Any:
        return self.last.predict(self.features(rows))

    def predict_proba(self, rows: Any) -> Any:
        return self.last.predict_proba(self.features(rows))

    def features(self, rows: Any) -> Any:
        return transformed(rows, self.transformers)


class QuickColumns:
    """A fitted column transformer: each part has its columns, and the results stand in a row."""

    def __init__(self, columns: ColumnTransformer) -> None:
        self.whole = columns
        self.parts = [
            (KnownWords(transformer) if has_words(transformer) else transformer, places)
            for _, transformer, places in filter(takes_part, columns.transformers_)
        ]

    def transform(self, rows: Any) -> Any:
        """Return n rows of features; rows that are no array are left to scikit-learn."""
        if not isinstance(rows, np.ndarray) or rows.shape[1:] != (self.whole.n_features_in_,):
            return self.whole.transform(rows)
        features = [part.transform(rows[:, places]) for part, places in self.parts]
        return np.hstack([dense(one) for one in features])


def dense(features: Any) -> Any:
    return features.toarray() if hasattr(features, "toarray") else features


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
        if not len(rows):
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


def takes_part(part: Any) -> bool:
    _, transformer, places = part
    return transformer != "drop" and len(places) > 0


def is_plain(transformer: Any) -> bool:
    """Say whether it is a column transformer that names columns by places and weighs none."""
    if type(transformer) is not ColumnTransformer or not transformer.transformers_:
        return False
    is_as_usual = (
        transformer.transformer_weights is None
        and not transformer.sparse_output_
        and not hasattr(transformer, "_sklearn_output_config")
    )
    parts = transformer.transformers_
    return is_as_usual and all(map(takes_places, parts)) and any(map(takes_part, parts))


def takes_places(part: Any) -> bool:
    """Say whether a part is a transformer, or dropped, and its columns are a list of places."""
    _, transformer, places = part
    is_known = transformer == "drop" or hasattr(transformer, "transform")
    is_list = isinstance(places, list | np.ndarray)
    return is_known and is_list and all(isinstance(place, int | np.integer) for place in places)
