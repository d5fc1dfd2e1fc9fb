"""The project package: settings, composition and the Celery application."""

from mlservice.celery import app as celery_app

__all__ = ["celery_app"]
