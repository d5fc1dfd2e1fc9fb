"""Every documented operation is sent what its schema allows and what it forbids.

Whatever comes in, the answer is never a crash, and every refusal is a problem.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from ml_models.models import ModelVersion

pytestmark = pytest.mark.django_db

document = SchemaGenerator().get_schema(request=None, public=True)
schema = schemathesis.openapi.from_dict(document)
schema.app = get_wsgi_application()


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Let requests of the real WSGI handler share the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def token(one_connection: None, alice: User, published_version: ModelVersion, settings: Any) -> str:
    return str(AccessToken.for_user(alice))


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_input_crashes_an_operation(token: str, case: Any) -> None:
    answer = case.call(headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == ["application/problem+json"]
