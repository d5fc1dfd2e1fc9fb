"""Traces say that something failed and of what kind it was, never in whose words."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from mlservice.lib import spans
from tests.metrics.collector import Collector, collecting

ROW = "carat=0.73918462"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.address)
        spans._made.cache_clear()
        yield found
        spans.flush()
        spans._made.cache_clear()


@spans.step("predict")
def predict() -> None:
    raise ValueError(f"could not convert {ROW} to float")


def in_a_worker() -> None:
    with spans.predicting(uuid4(), [uuid4()]):
        predict()


def in_the_relay() -> None:
    with spans.publishing(uuid4(), [uuid4()]):
        predict()


def in_a_request() -> None:
    def fails(request: HttpRequest) -> HttpResponse:
        raise ValueError(ROW)

    spans.TracingMiddleware(fails)(RequestFactory().get("/wallet"))


def told(collector: Collector) -> dict[str, Any]:
    """Return how each span ended, under its name."""
    spans.flush()
    assert ROW not in collector.told()
    return {one.name: (one.status.code, one.status.message) for one in collector.spans()}


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (in_a_worker, {"predict group", "predict"}),
        (in_the_relay, {"publish group", "predict"}),
        (in_a_request, {"GET"}),
    ],
)
def test_an_error_is_told_by_its_kind_and_never_by_its_words(
    collector: Collector, where: Callable[[], None], names: set[str]
) -> None:
    with pytest.raises(ValueError, match=ROW):
        where()

    assert told(collector) == dict.fromkeys(names, (2, "ValueError"))


@pytest.mark.django_db
def test_what_the_database_quotes_stays_with_us(collector: Collector) -> None:
    @spans.step("settle")
    def settle() -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE kept (row text UNIQUE)")
            cursor.execute("INSERT INTO kept VALUES (%s), (%s)", [ROW, ROW])

    with pytest.raises(IntegrityError, match=ROW):
        settle()

    assert told(collector) == {"settle": (2, "IntegrityError")}


def test_what_goes_well_is_no_error(collector: Collector) -> None:
    spans.step("claim")(lambda: None)()

    assert told(collector) == {"claim": (0, "")}


def test_threads_that_begin_at_once_share_one_way_to_the_collector(collector: Collector) -> None:
    together = Barrier(16)

    def begin() -> int:
        together.wait()
        return id(spans.provider())

    with ThreadPoolExecutor(16) as pool:
        made = {each.result() for each in [pool.submit(begin) for _ in range(16)]}

    assert len(made) == 1
