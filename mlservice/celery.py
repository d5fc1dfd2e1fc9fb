"""The Celery application; its options stand in settings under CELERY_."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mlservice.settings")

app = Celery("mlservice")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
