"""The stack of the fault tests: started once, put right before each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.people import Person
from tests.faults.clients import MODELS, Client, Load
from tests.faults.form import PREDICTIONS
from tests.faults.stack import Stack, running_stack

PEOPLE = 4
FOLDER = Path(__file__).parent

LoadMaker = Callable[..., Load]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the fault tests to those who ask for them by path or by marker."""
    is_asked = "faults" in config.option.markexpr or any(
        Path(argument.split("::")[0]).resolve().is_relative_to(FOLDER) for argument in config.args
    )
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.faults)
    if not is_asked:
        left_out = [item for item in items if item.get_closest_marker("faults")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("faults")]


@pytest.fixture(scope="session")
def running() -> Iterator[Stack]:
    with running_stack() as stack:
        yield stack


@pytest.fixture
def stack(running: Stack) -> Stack:
    """The stack as it should be, whatever the last test did to it."""
    running.restore()
    return running


@pytest.fixture
def workerless(running: Stack) -> Stack:
    """The stack for a test that starts a worker of its own kind."""
    running.restore(without={"worker"})
    return running


@pytest.fixture(scope="session")
def examples(running: Stack) -> list[dict[str, Any]]:
    """A request for each of the two models: its own example."""
    reader = Person(running.service.base_url, credits=1)
    models = [reader.get(f"models/{slug}") for slug in MODELS]
    return [{"model": model["slug"], "input": model["example"]} for model in models]


@pytest.fixture(scope="session")
def people(running: Stack) -> list[Client]:
    return [Client(running) for _ in range(PEOPLE)]


@pytest.fixture
def load(people: list[Client], examples: list[dict[str, Any]]) -> LoadMaker:
    """Make a load of several users and both models, unless it is told otherwise."""
    for client in people:
        # Tokens live for five minutes.
        client.sign_in()

    def make(count: int | None = PREDICTIONS, **options: Any) -> Load:
        return Load(**{"clients": people, "bodies": examples, "count": count, **options})

    return make
