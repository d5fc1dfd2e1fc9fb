"""The operators' home: how the service does today, each figure with a way to the list behind it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.models import AuditRun, PendingAdjustment, TopUp, Wallet
from billing.selectors import last_audit
from ml_models.models import MLModel, ModelVersion
from predictions.models import DeadLetter, Prediction, Worker
from predictions.status import queue_status

# By the first column of the list of predictions, the id: ids sort by time.
OLDEST_FIRST = {"o": "0"}
MOST_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Figure:
    """One number and the list that it counts, for whoever has the right to look at that.

    It is wrong when somebody should look at it now.
    """

    title: str
    value: str
    address: str
    right: str
    note: str = ""
    is_wrong: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that are read together, and the lists that one of them may lead to."""

    title: Any
    figures: Callable[[], Iterator[Figure]]
    lists: tuple[type[models.Model], ...]


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the admin's home what this operator may look at; nothing else is counted."""
    user: Any = request.user
    desk = {
        str(group.title): [one for one in group.figures() if user.has_perm(one.right)]
        for group in GROUPS
        if any(user.has_perm(right_to(model)) for model in group.lists)
    }
    can_find = user.has_perm(right_to(Prediction))
    finder = list_of(Prediction) if can_find else ""
    return context | {"desk": desk, "finder": finder}


def today() -> Iterator[Figure]:
    """Count what was sent since midnight; what it cost is what was captured for it."""
    midnight = timezone.make_aware(datetime.combine(timezone.localdate(), time.min))
    sent = Prediction.objects.sent_since(midnight).aggregate(
        number=Count("pk"),
        failed=Count("pk", filter=Q(status=Prediction.Status.FAILED)),
        charged=Sum("cost", default=0),
    )
    since = {"created_at__gte": str(midnight)}
    yield counted(_("Predictions"), sent["number"], Prediction, **since)
    done = {"status__exact": "succeeded", **since}
    yield counted(_("Charged for them, credits"), sent["charged"], Prediction, **done)
    failed = {"status__exact": "failed", **since}
    yield counted(_("Failed of them"), sent["failed"], Prediction, **failed)


def under_way() -> Iterator[Figure]:
    """Tell what waits and who works, by the database's clock."""
    queues = queue_status()
    waiting = sum(lane["waiting"] for lane in queues["lanes"])
    ages = [lane["oldest"] for lane in queues["lanes"] if lane["oldest"] is not None]
    alive = [worker for worker in queues["workers"] if worker["is_alive"]]
    children = sum(worker["children"] for worker in alive)
    processes = ngettext("%(number)d process", "%(number)d processes", children)
    counted_waiting = counted(
        _("Waiting"), waiting, Prediction, status__exact="starting", **OLDEST_FIRST
    )
    yield counted_waiting
    age = _("%(seconds)s s") % {"seconds": whole(int(max(ages)))} if ages else "–"
    yield replace(counted_waiting, title=_("The oldest waits for"), value=age)
    yield replace(
        counted(_("Workers alive"), len(alive), Worker),
        note=processes % {"number": children},
        is_wrong=not alive,
    )
    yield alarming(_("Dead letters"), queues["dead_letters"], DeadLetter, discarded="no")


def tried_and_broken() -> Iterator[Figure]:
    """Tell how many versions are broken, and who is tried; a trial leads to its comparison."""
    broken = ModelVersion.objects.filter(status=ModelVersion.Status.BROKEN).count()
    yield alarming(_("Broken versions"), broken, ModelVersion, status__exact="broken")
    tried = MLModel.objects.filter(candidate__isnull=False).select_related("candidate")
    for model in tried.order_by("slug")[:MOST_CANDIDATES]:
        yield candidate(model)


def candidate(model: MLModel) -> Figure:
    version: Any = model.candidate
    said = _("of the users: version %(number)s, %(status)s")
    return Figure(
        title=_("Candidate of %(model)s") % {"model": model.local_title},
        value=f"{model.candidate_share}%",
        note=said % {"number": version.number, "status": version.get_status_display()},
        address=reverse("admin:predictions_comparison", args=[model.pk]),
        right=right_to(Prediction),
        is_wrong=not version.is_published,
    )


def money() -> Iterator[Figure]:
    """Count what waits for a decision, who owes, and what the last audit said.

    What a provider reports itself is not an operator's to decide.
    """
    waiting = {"status__exact": "pending"}
    top_ups = TopUp.objects.filter(status=TopUp.Status.PENDING, provider="manual").count()
    by_hand = {**waiting, "provider__exact": "manual"}
    yield counted(_("Top-ups to decide"), top_ups, TopUp, **by_hand)
    adjustments = PendingAdjustment.objects.filter(status=PendingAdjustment.Status.PENDING)
    yield counted(_("Adjustments to decide"), adjustments.count(), PendingAdjustment, **waiting)
    frozen = Wallet.objects.filter(shortfall__gt=0).count()
    yield counted(_("Frozen wallets"), frozen, Wallet, shortfall__gt="0")
    yield audited(last_audit())


def audited(run: AuditRun | None) -> Figure:
    state = counted(_("The books at the last audit"), 0, AuditRun)
    if run is None:
        return replace(state, value="–", note=_("no audit has run yet"))
    finished = timezone.localtime(run.finished_at)
    return replace(
        state,
        value=_("differ") if run.drift else _("agree"),
        note=date_format(finished, "SHORT_DATETIME_FORMAT"),
        is_wrong=run.drift > 0,
    )


GROUPS = (
    Group(gettext_lazy("Sent today"), today, (Prediction,)),
    Group(gettext_lazy("Now"), under_way, (Prediction, Worker, DeadLetter)),
    Group(gettext_lazy("Models"), tried_and_broken, (ModelVersion, Prediction)),
    Group(gettext_lazy("Money"), money, (TopUp, PendingAdjustment, Wallet, AuditRun)),
)


def alarming(title: str, number: int, model: type[models.Model], **filters: str) -> Figure:
    return replace(counted(title, number, model, **filters), is_wrong=number > 0)


def counted(title: str, number: int, model: type[models.Model], **filters: str) -> Figure:
    return Figure(title, whole(number), list_of(model, **filters), right_to(model))


def list_of(model: type[models.Model], **filters: str) -> str:
    options = model._meta
    address = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def right_to(model: type[models.Model]) -> str:
    return f"{model._meta.app_label}.view_{model._meta.model_name}"


def whole(number: int) -> str:
    return str(number_format(number, force_grouping=True))
