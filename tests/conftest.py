"""The cast: Alice owns, Bob is a stranger, the operator is staff; factories are plain functions."""

import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone, translation
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from accounts.models import User
from accounts.services import register_user
from billing.services import wallet_of
from billing.top_ups import start_top_up
from ml_models.fetching import ask_again
from ml_models.models import ModelVersion
from ml_models.releases import read_release
from ml_models.selectors import forget_found_versions
from ml_models.services import publish_version
from predictions import selectors, turns
from predictions.accepting import shared
from predictions.models import Prediction
from predictions.submitting import prepare_submission, submit_prediction

PASSWORD = "a long and private phrase"


def pytest_addoption(parser: pytest.Parser) -> None:
    ledger = parser.getgroup("ledger machine")
    ledger.addoption("--ledger-examples", type=int, help="so many new examples, not the usual ones")
    ledger.addoption("--ledger-steps", type=int, default=30, help="steps in each example")
    ledger.addoption("--ledger-as-found", action="store_true", help="fail without shortening")


def make_user(username: str, *, credits: int = 0, **fields: Any) -> User:
    fields.setdefault("email_confirmed_at", timezone.now())
    user = register_user(
        username=username, email=f"{username}@example.com", password=PASSWORD, **fields
    )
    if credits:
        start_top_up(wallet=wallet_of(user.pk), amount=credits, provider="demo")
    return user


def make_prediction(user: User, **fields: Any) -> Prediction:
    """Submit one row of the model's own example, unless `input` says otherwise."""
    model = fields.pop("model", "linear-regression")
    rows = fields.pop("input", None)
    if rows is None:
        rows = ModelVersion.objects.filter(model__slug=model).latest("pk").example
    explain = fields.pop("explain", False)
    submission = prepare_submission(model=model, input=rows, explain=explain)
    return submit_prediction(user_id=user.pk, submission=submission, source="api", **fields)


def make_history(user: User) -> None:
    """Let one prediction wait among a hundred that have ended, and tell the planner so.

    Of a table as small as one row, it reads any index as gladly.
    """
    for _ in range(100):
        make_prediction(user)
    Prediction.objects.update(status=Prediction.Status.CANCELED, completed_at=Now())
    make_prediction(user)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE predictions_prediction")


@pytest.fixture(autouse=True)
def fresh_caches() -> None:
    """A test's rows are new, so nothing kept by the process for the last test may answer."""
    forget_found_versions()
    ask_again()
    selectors.forget_backlog()
    turns.forget_turns()
    cache.clear()


@pytest.fixture(autouse=True)
def nothing_shared() -> Iterator[None]:
    """A connection that threads share would outlive the test, and the database be in use."""
    yield
    shared.close()


@pytest.fixture(autouse=True)
def english() -> None:
    """A page asked for in Russian leaves its thread speaking Russian; the next test begins anew."""
    translation.deactivate()


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice", credits=1_000)


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob", credits=1_000)


@pytest.fixture
def staff(db: None) -> User:
    return make_user("operator", is_staff=True, is_superuser=True)


@pytest.fixture
def api() -> Callable[[User], APIClient]:
    def client_of(user: User) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
        return client

    return client_of


@pytest.fixture
def page() -> Callable[[User], Client]:
    def client_of(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return client_of


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What a process writes to standard error, by the formatter that it really has."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def published_version(db: None) -> ModelVersion:
    """The linear regression that the pipeline built, at 1 credit a row."""
    return publish_version(release=read_release("linear-regression"))[0]


@pytest.fixture
def forest_version(db: None) -> ModelVersion:
    """The random forest that the pipeline built, at 5 credits a row."""
    return publish_version(release=read_release("random-forest"))[0]
