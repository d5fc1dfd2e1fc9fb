"""The only place that deletes what nobody asks about any more: sessions, notes on sign-ins."""

from datetime import timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.db.models import Model, QuerySet
from django.utils import timezone


def outdated_sessions() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=timezone.now())


def outdated_sign_ins(*, days: int) -> list[QuerySet[Model]]:
    """Give the notes on who signed in from where, or tried to, so many days ago."""
    before = timezone.now() - timedelta(days=days)
    notes = (AccessAttempt, AccessFailureLog, AccessLog)
    return [kind.objects.filter(attempt_time__lt=before) for kind in notes]
