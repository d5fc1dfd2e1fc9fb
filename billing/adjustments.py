"""Operators' decisions on money: small ones are done at once, large ones need a second operator."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing.errors import AlreadyApplied, SecondOperatorNeeded
from billing.models import PendingAdjustment
from billing.services import check_reason, correct, grant, refund

Kind, Status = PendingAdjustment.Kind, PendingAdjustment.Status


def adjust(
    *,
    kind: str,
    wallet_id: int,
    amount: int,
    reason: str,
    actor_id: int,
    adjustment_id: UUID,
    hold_id: int | None = None,
) -> PendingAdjustment | None:
    """Grant, correct or refund; return what waits for a second operator, None when it is done.

    amount: credits, negative only in a correction. The id makes a repeated request one.
    """
    if abs(amount) <= settings.ADJUSTMENT_ALONE_CREDITS:
        _carry_out(kind, wallet_id, hold_id, amount, reason, actor_id, adjustment_id)
        return None
    with transaction.atomic():
        # What could not be done now is refused now, not after the second look.
        undo = transaction.savepoint()
        _carry_out(kind, wallet_id, hold_id, amount, reason, actor_id, adjustment_id)
        transaction.savepoint_rollback(undo)
        waiting, is_new = PendingAdjustment.objects.get_or_create(
            pk=adjustment_id,
            defaults={
                "kind": kind,
                "wallet_id": wallet_id,
                "hold_id": hold_id,
                "amount": amount,
                "reason": check_reason(reason),
                "requested_by_id": actor_id,
            },
        )
    if not is_new:
        raise AlreadyApplied(_("This adjustment waits for a second operator already."))
    return waiting


def approve_adjustment(*, adjustment_id: UUID, actor_id: int) -> None:
    """Carry out what another operator asked for.

    Raise SecondOperatorNeeded for the one who asked, AlreadyApplied when it is decided.
    """
    with transaction.atomic():
        waiting = _decide(adjustment_id, Status.APPROVED, actor_id)
        _carry_out(
            waiting.kind,
            waiting.wallet_id,
            waiting.hold_id,
            waiting.amount,
            waiting.reason,
            actor_id,
            waiting.pk,
        )


def reject_adjustment(*, adjustment_id: UUID, actor_id: int) -> None:
    """Close what waits without moving anything; who asked may withdraw it so."""
    with transaction.atomic():
        _decide(adjustment_id, Status.REJECTED, actor_id)


def _decide(adjustment_id: UUID, status: str, actor_id: int) -> PendingAdjustment:
    """Lock a pending adjustment and move it to its end, once."""
    waiting = PendingAdjustment.objects.select_for_update().get(pk=adjustment_id)
    if waiting.status != Status.PENDING:
        ended = Status(waiting.status).label
        raise AlreadyApplied(format_lazy(_("This adjustment is {ended} already."), ended=ended))
    if status == Status.APPROVED and waiting.requested_by_id == actor_id:
        raise SecondOperatorNeeded(_("Whoever asked for an adjustment cannot approve it."))
    PendingAdjustment.objects.filter(pk=adjustment_id).update(
        status=status, decided_by_id=actor_id, decided_at=Now()
    )
    return waiting


def _carry_out(
    kind: str,
    wallet_id: int,
    hold_id: int | None,
    amount: int,
    reason: str,
    actor_id: int,
    adjustment_id: UUID,
) -> None:
    if kind == Kind.REFUND and hold_id:
        refund(hold_id=hold_id, amount=amount, reason=reason, actor_id=actor_id)
        return
    {Kind.GRANT.value: grant, Kind.CORRECTION.value: correct}[kind](
        wallet_id=wallet_id,
        amount=amount,
        reason=reason,
        actor_id=actor_id,
        adjustment_id=adjustment_id,
    )
