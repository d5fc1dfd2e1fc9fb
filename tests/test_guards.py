"""What must hold for the project as a whole, whoever changes it."""

import logging
import re
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from mlservice.celery import app

PUBLIC = {
    "livez",
    "readyz",
    "landing",
    "model",
    "sign_up",
    "sign_in",
    "sign_out",
    "set_language",
    "set_theme",
    # Answers 404 to all but developers.
    "styleguide",
    "confirm_email",
    "forgotten_password",
    "reset_password",
    "api_schema",
    "api_docs",
    "api_register",
    "api_stripe_webhook",
    "api_token",
    "api_token_refresh",
    "api_token_revoke",
    "api_models",
    "api_model",
    "api_model_version",
}
SAMPLES = {
    "pk": "0197b7a2-5f0e-7c3a-9d7e-2f4b8a1c6e55",
    "slug": "linear-regression",
    "number": "1",
    "month": "2026-11",
    "uid": "MQ",
    "token": "nonsense",
}


def named_paths(resolver: Any = None, prefix: str = "/") -> dict[str, str]:
    """Give every named URL outside the admin with its parameters filled in."""
    found: dict[str, str] = {}
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver) and pattern.app_name != "admin":
            found |= named_paths(pattern, route)
        elif isinstance(pattern, URLPattern) and pattern.name:
            found[pattern.name] = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: SAMPLES[m[1]], route)
    return found


def test_no_migration_is_missing(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_every_url_asks_who_one_is_unless_it_is_listed(client: Any, db: None) -> None:
    open_to_all = {
        name
        for name, path in named_paths().items()
        if client.get(path).status_code not in {401, 302, 405}
        and client.post(path).status_code not in {401, 302, 403}
    }

    assert open_to_all <= PUBLIC


@pytest.mark.parametrize("name", sorted(set(named_paths()) - PUBLIC))
def test_a_private_url_answers_nobody_without_a_user(client: Any, db: None, name: str) -> None:
    answers = [client.get(named_paths()[name]), client.post(named_paths()[name])]

    for answer in answers:
        signed_out = answer.status_code in {401, 405} or (
            answer.status_code == 302 and "/sign-in" in answer["Location"]
        )
        assert signed_out


def tasks() -> dict[str, Any]:
    """Give every task of ours by its name, whatever was imported before."""
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_every_task_has_a_time_limit() -> None:
    ours = tasks()

    assert ours.keys() >= {
        "accounts.flush_expired_tokens",
        "billing.expire_top_ups",
        "mlservice.audit_ledger",
        "predictions.run",
    }
    unlimited = [name for name, task in ours.items() if not task.time_limit]
    assert unlimited == [] or app.conf.task_time_limit


def test_workers_and_beat_log_at_the_level_of_the_settings() -> None:
    before = logging.getLogger().level

    app.log.setup_logging_subsystem(loglevel="CRITICAL")

    assert logging.getLogger().level == before != logging.CRITICAL


def test_every_duty_on_the_schedule_is_a_task_and_the_books_are_audited_every_night() -> None:
    duties: list[dict[str, Any]] = [*settings.CELERY_BEAT_SCHEDULE.values()]
    scheduled = {duty["task"]: duty["schedule"] for duty in duties}

    assert scheduled.keys() <= tasks().keys()
    nightly = scheduled["mlservice.audit_ledger"]
    assert (len(nightly.minute), len(nightly.hour)) == (1, 1)
    assert (len(nightly.day_of_week), len(nightly.day_of_month)) == (7, 31)


def test_an_unknown_path_under_the_api_is_a_problem(client: Any, db: None) -> None:
    for path in ("/api/v1/nothing", "/api/nothing", "/api/v1/predictions/not-a-uuid"):
        answer = client.get(path)

        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "not_found"


def test_a_method_that_is_not_offered_is_a_problem(client: Any, db: None) -> None:
    answer = client.delete("/api/v1/models")

    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")


def test_every_operation_is_documented_with_an_example_and_its_errors() -> None:
    document = SchemaGenerator().get_schema(request=None, public=True)

    assert document["openapi"].startswith("3.1")
    assert len(document["paths"]) >= 14
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert "default" in answers, (path, method)
            bodies = [
                content
                for status, answer in answers.items()
                if status.startswith("2")
                for content in answer.get("content", {}).values()
            ]
            asked = operation.get("requestBody", {}).get("content", {}).values()
            shown = [*bodies, *asked]
            assert any("examples" in content for content in shown), (path, method)


def test_the_documentation_is_served_without_any_foreign_file(client: Any, db: None) -> None:
    page = client.get("/api/docs/")

    assert page.status_code == 200
    assert b"http://" not in page.content.replace(b"http://testserver", b"")
    assert b"https://" not in page.content


def test_only_postgresql_is_used() -> None:
    assert settings.DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql"
