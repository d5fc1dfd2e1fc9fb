"""The only place that judges whether an estimator that somebody brought can be published.

Loading a joblib file runs what stands in it: it must come from somebody trusted.
"""

from typing import Any

from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ml_models.errors import NotPublishable, in_words
from ml_models.formats import estimator_from
from ml_models.inference import on_one_thread
from ml_models.pipeline import schema

# Each row of output names them all.
MOST_LABELS = 100
LABEL_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
INPUT_ALONE = (
    "It holds the input alone: no target, and no index (write it by `to_csv(…, index=False)`)."
)


def loaded(content: bytes, format: str) -> Any:
    """Return the fitted estimator; raise NotPublishable for bytes that are none."""
    try:
        estimator: Any = estimator_from(content, format)
    # Whatever loading trips over, this file will not do.
    except Exception as failure:
        raise NotPublishable(f"The artifact cannot be loaded: {in_words(failure)}") from failure
    refuse_unfit(estimator)
    return on_one_thread(estimator)


def refuse_unfit(estimator: Any) -> None:
    kind = type(estimator).__name__
    if not (isinstance(estimator, BaseEstimator) and hasattr(estimator, "predict")):
        raise NotPublishable(f"The artifact is a {kind}, no scikit-learn estimator that predicts.")
    if not (is_classifier(estimator) or is_regressor(estimator)):
        raise NotPublishable(f"The artifact is a {kind}, neither regressor nor classifier.")
    try:
        check_is_fitted(estimator)
    except NotFittedError as refusal:
        raise NotPublishable(f"The {kind} is not fitted: call `fit` before saving it.") from refusal


def refuse_misfit(estimator: Any, given: list[str]) -> None:
    """Raise NotPublishable if the sample's columns are not those that the estimator learnt from."""
    learnt = getattr(estimator, "feature_names_in_", None)
    count = getattr(estimator, "n_features_in_", len(given))
    if learnt is None and count != len(given):
        raise NotPublishable(
            f"The estimator takes {count} columns, the sample has {len(given)}: "
            f"{', '.join(given)}. {INPUT_ALONE}"
        )
    if learnt is not None and list(learnt) != given:
        raise NotPublishable(misfit([str(name) for name in learnt], given))


def misfit(learnt: list[str], given: list[str]) -> str:
    if sorted(learnt) == sorted(given):
        return f"The sample's columns must stand in the order of fitting: {', '.join(learnt)}."
    missing = ", ".join(name for name in learnt if name not in given) or "none"
    unknown = ", ".join(name for name in given if name not in learnt) or "none"
    return (
        f"The sample's columns are not those of fitting; missing: {missing}; unknown: {unknown}. "
        f"{INPUT_ALONE}"
    )


def output_schema(estimator: Any, words: dict[str, str]) -> dict[str, Any]:
    """Describe what is predicted; `words` may hold its title and its unit."""
    target = schema.output_schema(words)
    if not is_classifier(estimator):
        return target
    labels = labels_of(estimator)
    choice = target | {"type": LABEL_TYPES[type(labels[0])], "enum": labels}
    if hasattr(estimator, "predict_proba"):
        choice["x-probabilities"] = [name_of(label) for label in labels]
    return choice


def labels_of(estimator: Any) -> list[Any]:
    classes: Any = getattr(estimator, "classes_", None)
    if getattr(classes, "ndim", 0) != 1:
        raise NotPublishable("The classifier must give one label a row, and name its `classes_`.")
    labels: list[Any] = classes.tolist()
    if len(labels) > MOST_LABELS:
        raise NotPublishable(f"It has {len(labels)} labels; {MOST_LABELS} are the most.")
    if {type(label) for label in labels} - set(LABEL_TYPES) or len(set(map(type, labels))) > 1:
        raise NotPublishable("Labels must be all texts, all numbers or all truth values.")
    return labels


def name_of(label: Any) -> str:
    return str(label).lower() if isinstance(label, bool) else str(label)
