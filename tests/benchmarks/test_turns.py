"""A target that leaves a cell without any answer loses that cell, unless it had no excuse."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import turns
from benchmarks.load import Silent
from benchmarks.rows import LINEAR, Model
from benchmarks.servers import Servers
from benchmarks.target import Target
from benchmarks.turns import Cell, answered

CELLS = [Cell(Model(LINEAR), connections, 1) for connections in (16, 64, 32)]


@pytest.fixture(autouse=True)
def silent_at_64(monkeypatch: pytest.MonkeyPatch) -> None:
    def figure(target: Target, cell: Cell, servers: Servers) -> dict[str, Any]:
        if cell.connections == 64:
            raise Silent("No answer.")
        return {"cell": cell.name}

    monkeypatch.setattr(turns, "figure", figure)


def measured(*, later: int) -> list[str]:
    target = cast(Target, SimpleNamespace(name="it", later=later))
    return [one["cell"] for one in answered(target, CELLS, cast(Servers, None))]


def test_a_cell_without_an_answer_is_passed_over() -> None:
    assert measured(later=0) == ["linear-regression c16", "linear-regression c32"]


def test_who_can_say_later_must_answer() -> None:
    with pytest.raises(Silent):
        measured(later=202)
