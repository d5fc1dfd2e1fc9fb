"""The Celery application; its options stand in settings under CELERY_."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlservice.settings")

app = Celery("mlservice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Leave the logging as Django has set it up: LOG_LEVEL rules workers and beat as well."""
