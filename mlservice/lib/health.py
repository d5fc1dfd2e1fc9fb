"""The only place that says whether this web process lives and may take traffic."""

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process runs; it asks nothing of anybody."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the database is there and migrated; the broker has no say."""
    try:
        reason = None if migrated() else "migrations are not applied"
    except Error:
        reason = "the database does not answer"
    if reason is None:
        return JsonResponse({"status": "ok"})
    response = JsonResponse({"status": "unavailable", "reason": reason}, status=503)
    response["Retry-After"] = "2"
    return response


def migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
