"""The same path as one would first write it: a serializer, the ORM, a task each, polling.

It shares the tables, so that the audit of the ledger speaks of it too.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.naive.settings")

app = Celery("naive")
app.config_from_object("benchmarks.naive.celery_options")
