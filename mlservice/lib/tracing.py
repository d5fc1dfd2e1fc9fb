"""What the code says to be traced; without a collector in the environment all of it is nothing.

Only then is OpenTelemetry imported (`mlservice.lib.spans`). Relay and worker merge the predictions
of many requests, and messages carry ids alone. So ids are what traces go by: a prediction is a
trace whose id is its own, a group likewise, and a group's spans link to the predictions in it.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from django.conf import settings

P = ParamSpec("P")
R = TypeVar("R")

if settings.IS_TRACED:
    from mlservice.lib import spans


def step(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a span of each call of a function."""
    return spans.step(name) if settings.IS_TRACED else lambda function: function


def prediction(submit: Callable[P, R]) -> Callable[P, R]:
    """Begin a prediction's trace where one was sent, linked with the request that sent it."""
    return spans.prediction(submit) if settings.IS_TRACED else submit


def publishing(group_id: UUID, predictions: Sequence[UUID]) -> AbstractContextManager[Any]:
    """Begin a group's trace."""
    return spans.publishing(group_id, predictions) if settings.IS_TRACED else nullcontext()


def predicting(group_id: UUID | None, predictions: Sequence[UUID]) -> AbstractContextManager[Any]:
    """Go on with a group's trace in a worker."""
    if settings.IS_TRACED and group_id:
        return spans.predicting(group_id, predictions)
    return nullcontext()


def flush() -> None:
    """Send what was traced and not sent yet, for this process ends."""
    if settings.IS_TRACED:
        spans.flush()
