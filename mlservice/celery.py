"""The Celery application; its options stand in settings under CELERY_."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlservice.settings")

app = Celery("mlservice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Leave the logging as Django has set it up: LOG_LEVEL rules workers and beat as well."""


@task_prerun.connect
def leave_broken_connections(**_: Any) -> None:
    """Open anew what an earlier task left broken: tasks keep their connections for long."""
    from django.db import connections

    for one in connections.all(initialized_only=True):
        if one.errors_occurred:
            one.close_if_unusable_or_obsolete()
