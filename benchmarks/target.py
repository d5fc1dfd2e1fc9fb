"""What is common to all that is put under load: a name, its requests, its answers."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from benchmarks.rows import Model, Row


class Target(Protocol):
    """Something that predicts rows of the shipped models over HTTP."""

    name: str
    # The status of an answer that holds predictions.
    expected: int
    # The status of one that says where to look for them later; none is 0.
    later: int

    def running(self) -> AbstractContextManager[None]:
        """Start it, have it predict each model once, and end it by the ids of its processes."""

    def address(self, model: Model) -> str:
        """Return where it predicts this model, without a path."""

    def request(self, model: Model, rows: Sequence[Row], number: int) -> str:
        """Spell out the request that has it predict the rows for client `number`."""

    def predictions(self, body: str) -> list[float]:
        """Read what it predicted from the body of its answer."""

    def parts(self) -> Mapping[str, int]:
        """Name its parts, each with the process that started all others of the part."""
