"""Goal: the database itself keeps a version as it was published."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from ml_models.models import ModelVersion
from ml_models.services import publish_version
from tests.ml_models.builders import make_release, make_version

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 9),
        ("artifact_md5", "0" * 32),
        ("artifact_sha256", "0" * 64),
        ("artifact_size", 1),
        ("sklearn_version", "0.1"),
        ("artifact_format", "skops"),
        ("input_kind", "table"),
        ("golden_rows", [{"input": {}, "output": {}}]),
        ("input_schema", {"type": "object", "properties": {}}),
        ("output_schema", {}),
        ("example", {}),
        ("metrics", {"r2": 0.5}),
        ("created_at", "2020-01-01T00:00:00Z"),
    ],
)
def test_a_published_field_refuses_to_change(field: str, value: Any) -> None:
    version = make_version()

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(**{field: value})


def test_not_even_the_order_of_the_columns_changes() -> None:
    version = make_version()
    schema = version.input_schema
    turned = schema | {"properties": dict(reversed(schema["properties"].items()))}

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(input_schema=turned)


def test_price_and_status_change() -> None:
    version = make_version()

    ModelVersion.objects.filter(pk=version.pk).update(price=9, status="retired")

    version.refresh_from_db()
    assert (version.price, version.status) == (9, "retired")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"price": 0}, "model_version_price_at_least_one"),
        ({"status": "lost"}, "model_version_status_is_known"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(change: dict[str, Any], constraint: str) -> None:
    version = make_version()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(**change)


def test_the_stable_version_cannot_be_deleted() -> None:
    version = make_version()

    with pytest.raises(ProtectedError):
        version.delete()


def test_documents_keep_the_order_of_their_keys() -> None:
    properties = {name: {"type": "number"} for name in ("width", "a", "zebra", "b2")}
    schema = {"type": "object", "properties": properties, "required": list(properties)}

    made, _ = publish_version(release=make_release(input_schema=schema))

    version = ModelVersion.objects.get(pk=made.pk)
    assert list(version.input_schema["properties"]) == ["width", "a", "zebra", "b2"]
    assert version.metrics == {"r2": 1.0, "mae": 0.0}
