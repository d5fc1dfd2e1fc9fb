"""Celery as its tutorial leaves it, and no result that nobody reads."""

import os

broker_url = os.environ["BROKER_URL"]
task_default_queue = "naive"
task_ignore_result = True
imports = ["benchmarks.naive.tasks"]
broker_connection_retry_on_startup = True
