"""The settings of a worker that has the estimators predict themselves, as the others do."""

from ml_models import quick
from ml_models.formats import Estimator
from mlservice.settings import *  # noqa: F403


def as_it_is(estimator: Estimator) -> Estimator:
    return estimator


quick.quick = as_it_is
