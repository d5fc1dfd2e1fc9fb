"""The live service of a test run: started once, when the first test asks for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.debian.ports import free_port
from tests.e2e.browsing import installed_browser
from tests.e2e.cast import Cast, assemble
from tests.e2e.environment import PLAIN, SHORT_LEASE, SMALL, UNHURRIED
from tests.e2e.live import LiveService, own_database


@pytest.fixture(scope="session")
def live_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """Web, relay and a worker of two children, on the run's servers and a database of their own."""
    port = str(free_port())
    with own_database(os.environ["DATABASE_URL"]) as address:
        own = {"DATABASE_URL": address, "PORT": port}
        service = LiveService(
            base_url=f"http://127.0.0.1:{port}",
            env=os.environ | PLAIN | SMALL | UNHURRIED | SHORT_LEASE | own,
            folder=Path(tmp_path_factory.mktemp("live")),
        )
        try:
            service.start()
            yield service
        finally:
            service.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with installed_browser() as started:
        yield started


@pytest.fixture(scope="session")
def cast(live_service: LiveService) -> Cast:
    """Give a client with something on every page; what a test adds to it stays."""
    return assemble(live_service)
