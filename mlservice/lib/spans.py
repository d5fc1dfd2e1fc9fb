"""The only place that imports OpenTelemetry; it is loaded only where traces are wanted.

Spans name routes, ids and numbers. No address, no row and no key is ever an attribute, and of an
error they name the kind alone.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bind_contextvars

from mlservice.lib.metrics.requests import method_of, route_of

P = ParamSpec("P")
R = TypeVar("R")

MOST_LINKS = 100
SPAN_BITS = (1 << 64) - 1
_making = Lock()
_root: ContextVar[UUID | None] = ContextVar("root", default=None)


class Ids(RandomIdGenerator):
    """Gives the root span of a prediction or a group the ids that follow from its own id."""

    def generate_trace_id(self) -> int:
        root = _root.get()
        return root.int if root else super().generate_trace_id()

    def generate_span_id(self) -> int:
        root = _root.get()
        return root.int & SPAN_BITS if root else super().generate_span_id()


def provider() -> TracerProvider:
    """Return this process's way to the collector; its thread must not be made before a fork."""
    # A cache alone lets the first requests of several threads make one each.
    with _making:
        return _made()


@cache
def _made() -> TracerProvider:
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or "mlservice"})
    made = TracerProvider(resource=resource, id_generator=Ids())
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


def tracer() -> trace.Tracer:
    return provider().get_tracer("mlservice")


def flush() -> None:
    if _made.cache_info().currsize:
        provider().shutdown()


def context_of(id: UUID) -> SpanContext:
    """Return where the root span of a prediction or a group is found, whoever made it."""
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(id.int, id.int & SPAN_BITS, is_remote=True, trace_flags=sampled)


def links_to(predictions: Sequence[UUID]) -> list[Link]:
    return [Link(context_of(one)) for one in predictions[:MOST_LINKS]]


def root_span(id: UUID, name: str, **options: Any) -> trace.Span:
    """Begin the trace of a prediction or a group."""
    token = _root.set(id)
    try:
        return tracer().start_span(name, context=Context(), **options)
    finally:
        _root.reset(token)


@contextmanager
def during(span: trace.Span) -> Iterator[trace.Span]:
    """Let a span last as long as what is done in it."""
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with trace.use_span(span, end_on_exit=True, **quiet):
        try:
            yield span
        except Exception as error:
            # Its words may quote a row, or what the database was given.
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def step(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def traced(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with during(tracer().start_span(name)):
                return function(*args, **kwargs)

        return call

    return traced


def prediction(submit: Callable[P, R]) -> Callable[P, R]:
    @wraps(submit)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        began = time.time_ns()
        made: Any = submit(*args, **kwargs)
        if not made.is_replayed:
            request = trace.get_current_span().get_span_context()
            span = root_span(
                made.pk,
                "prediction",
                start_time=began,
                links=[Link(request)] if request.is_valid else [],
                attributes={"prediction.id": str(made.pk), "prediction.status": made.status},
            )
            span.end()
        return cast(R, made)

    return call


@contextmanager
def publishing(group_id: UUID, predictions: Sequence[UUID]) -> Iterator[None]:
    span = root_span(
        group_id,
        "publish group",
        kind=SpanKind.PRODUCER,
        links=links_to(predictions),
        attributes=described(group_id, predictions),
    )
    with during(span):
        yield


@contextmanager
def predicting(group_id: UUID, predictions: Sequence[UUID]) -> Iterator[None]:
    parent = trace.set_span_in_context(NonRecordingSpan(context_of(group_id)))
    span = tracer().start_span(
        "predict group",
        context=parent,
        kind=SpanKind.CONSUMER,
        links=links_to(predictions),
        attributes=described(group_id, predictions),
    )
    with during(span):
        yield


def described(group_id: UUID, predictions: Sequence[UUID]) -> dict[str, Any]:
    return {"group.id": str(group_id), "group.predictions": len(predictions)}


class TracingMiddleware:
    """Makes a span of each request, in the trace of whoever sent it where that has one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.propagator = TraceContextTextMapPropagator()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = {"traceparent": request.META.get("HTTP_TRACEPARENT", "")}
        begun = tracer().start_span(
            method_of(request),
            context=self.propagator.extract(sent, context=Context()),
            kind=SpanKind.SERVER,
        )
        with during(begun) as span:
            bind_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}")
            response = self.get_response(request)
            span.update_name(f"{method_of(request)} {route_of(request)}")
            span.set_attribute("http.request.method", method_of(request))
            span.set_attribute("http.route", route_of(request))
            span.set_attribute("http.response.status_code", response.status_code)
            span.set_attribute("request.id", response.get("X-Request-ID", ""))
        return response
