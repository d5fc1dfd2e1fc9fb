"""What a span tells of an error: its kind, and nothing that its words may quote."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from mlservice.lib import spans


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Collect here what would be sent."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "provider", lambda: provider)
    return exporter


def test_an_error_is_told_by_its_kind_alone(seen: InMemorySpanExporter) -> None:
    @spans.step("predict")
    def predict() -> None:
        raise ValueError("could not convert string to float: '61.73918462'")

    with pytest.raises(ValueError, match="could not convert"):
        predict()

    (span,) = seen.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert "61.73918462" not in span.to_json()


def test_what_goes_well_is_no_error(seen: InMemorySpanExporter) -> None:
    spans.step("predict")(lambda: None)()

    (span,) = seen.get_finished_spans()
    assert (span.name, span.status.status_code) == ("predict", StatusCode.UNSET)
