"""The only writer of money: each path locks the wallet, then moves it, in one transaction.

Lock order everywhere: what asked for it (a provider's event, then its payment; an adjustment that
waits), then wallets by id, then predictions by id, then holds and top-ups.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection, models, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from billing import counting
from billing.errors import (
    AlreadyApplied,
    BalanceTooHigh,
    BalanceTooLow,
    InsufficientCredits,
    InvalidAmount,
    NotSignedIn,
    ReasonMissing,
    RefundTooLarge,
    SpendingCapReached,
    TopUpAlreadyResolved,
    WalletFrozen,
)
from billing.models import MAX_AMOUNT, Hold, LedgerEntry, PaymentReversal, TopUp, Wallet
from billing.selectors import committed_this_month, reversed_cents
from mlservice.lib.errors import DomainError
from mlservice.lib.locks import limit_lock_waits
from mlservice.lib.prepared import Call, Statement, run_in_turn


@dataclass(frozen=True, slots=True)
class Resolution:
    """How one hold ends: `captured` credits of it are charged, the rest is released."""

    hold_id: int
    captured: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """Credits to be held of a locked wallet, for what `reference` names: its kind and its id."""

    wallet: Wallet
    amount: int
    reference: tuple[str, str]

    def as_hold(self, hold_id: int) -> Hold:
        """Return the hold that was written for it."""
        kind, name = self.reference
        return Hold(
            pk=hold_id,
            wallet=self.wallet,
            amount=self.amount,
            reference_type=kind,
            reference_id=name,
        )


def open_wallet(*, user_id: int) -> Wallet:
    """Open a user's wallet, once, with the sign-up grant when the settings give one."""
    with transaction.atomic():
        wallet, is_new = Wallet.objects.get_or_create(user_id=user_id)
        if is_new and settings.SIGNUP_CREDITS:
            _apply(
                wallet=lock_wallet(wallet_id=wallet.pk),
                kind=LedgerEntry.Kind.GRANT,
                amount=settings.SIGNUP_CREDITS,
                reference=("sign_up", str(user_id)),
                reason="Sign-up credits",
            )
    return wallet


def wallet_of(user_id: int | None) -> Wallet:
    """Give the user's wallet, opening it when missing (a superuser made on the command line).

    Raise NotSignedIn for nobody's id, which a request without a user has.
    """
    if user_id is None:
        raise NotSignedIn
    wallet = Wallet.objects.filter(user_id=user_id).first()
    return wallet or open_wallet(user_id=user_id)


def lock_wallet(*, wallet_id: int) -> Wallet:
    """Lock the wallet's row until the transaction ends, and read it as it is now."""
    return Wallet.objects.select_for_update(of=("self",)).get(pk=wallet_id)


def lock_wallets(
    *, reference_type: str, reference_ids: Iterable[str], then: Sequence[Call] = ()
) -> list[tuple[Any, ...]]:
    """Lock the wallets that hold credits for these, in id order: settlements cannot deadlock.

    then: statements that run under the locks, in the same message. Return the rows of the last.
    """
    return run_in_turn((LOCK_WALLETS, reference_type, list(reference_ids)), *then)


# Each hold is looked up by itself: a planner that does not know the table yet, as after a restore,
# would read all of its type.
LOCK_WALLETS = Statement(
    "lock_wallets",
    ["text", "text[]"],
    """
SELECT id FROM billing_wallet
WHERE id IN (
    SELECT hold.wallet_id FROM unnest($2) AS wanted (reference_id), LATERAL (
        SELECT wallet_id FROM billing_hold
        WHERE reference_type = $1 AND reference_id = wanted.reference_id
        LIMIT 1
    ) AS hold
)
ORDER BY id FOR UPDATE
""",
)


def lock_payers(user_ids: Iterable[int], *, lock_ms: int | None = None) -> dict[int, Wallet]:
    """Lock the wallets of these users in id order, and read each with its user as they are now.

    A wallet that is missing (a superuser made on the command line) is opened; who is no user any
    more is left out. lock_ms: what this transaction waits for a lock from now on.
    """
    wanted = set(user_ids)
    limits = [] if lock_ms is None else [limit_lock_waits(lock_ms)]
    locked = _locked_payers(wanted, first=limits)
    if missing := wanted - locked.keys():
        users = get_user_model().objects.filter(pk__in=missing).order_by("pk")
        for user_id in users.values_list("pk", flat=True):
            open_wallet(user_id=user_id)
        locked |= _locked_payers(missing)
    return locked


def _locked_payers(wanted: set[int], *, first: Sequence[Call] = ()) -> dict[int, Wallet]:
    user_model = get_user_model()
    # Two statements: who waits for a lock sees all but what it locks as it was before.
    locked = {}
    for row in run_in_turn(*first, (LOCK_PAYERS, list(wanted)), (_read_payers(), list(wanted))):
        wallet = Wallet.from_db(connection.alias, _columns(Wallet), row[: len(_columns(Wallet))])
        wallet.user = user_model.from_db(
            connection.alias, _columns(user_model), row[len(_columns(Wallet)) :]
        )
        locked[wallet.user_id] = wallet
    return locked


LOCK_PAYERS = Statement(
    "lock_payers",
    ["bigint[]"],
    "SELECT FROM billing_wallet WHERE user_id = ANY($1) ORDER BY id FOR UPDATE",
)


@cache
def _read_payers() -> Statement:
    columns = [f"wallet.{name}" for name in _columns(Wallet)]
    columns += [f"payer.{name}" for name in _columns(get_user_model())]
    table = get_user_model()._meta.db_table
    return Statement(
        "read_payers",
        ["bigint[]"],
        f"""
        SELECT {", ".join(columns)} FROM billing_wallet AS wallet
        JOIN {table} AS payer ON payer.id = wallet.user_id WHERE payer.id = ANY($1)
        """,  # noqa: S608 (names of our own table and columns)
    )


@cache
def _columns(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def place_hold(*, wallet: Wallet, amount: int, reference: tuple[str, str]) -> Hold:
    """Reserve `amount` credits of a wallet that the caller has locked.

    Raise WalletFrozen, InsufficientCredits or SpendingCapReached; nothing is held then.
    """
    reservation = Reservation(wallet, amount, reference)
    if refusal := reserve(reservation):
        raise refusal
    [(hold_id,)] = write_holds([reservation])
    return reservation.as_hold(hold_id)


def reserve(wanted: Reservation) -> DomainError | None:
    """Count credits as held of a wallet that the caller has locked, or say why they cannot be.

    In memory alone, so that the next one of the same wallet is judged by what is left;
    `write_holds` writes it. A refusal is a WalletFrozen, InsufficientCredits or SpendingCapReached.
    """
    wallet, amount = wanted.wallet, wanted.amount
    if wallet.is_frozen:
        return WalletFrozen(shortfall=wallet.shortfall)
    if amount > wallet.available:
        return InsufficientCredits(required=amount, available=wallet.available)
    if wallet.spending_cap is not None:
        left = max(0, wallet.spending_cap - committed_this_month(wallet))
        if amount > left:
            return SpendingCapReached(required=amount, cap=wallet.spending_cap, left=left)
    wallet.held += amount
    return None


def write_holds(
    reserved: Sequence[Reservation], *, then: Sequence[Call] = ()
) -> list[tuple[Any, ...]]:
    """Write the holds of what was reserved; return a row with the id of each.

    then: statements that run after it, in the same message, and find a hold by its reference;
    return the rows of the last.
    """
    columns = [
        [one.wallet.pk for one in reserved],
        [one.amount for one in reserved],
        [one.reference[0] for one in reserved],
        [one.reference[1] for one in reserved],
    ]
    return run_in_turn((PLACE_HOLDS, *columns), *then)


PLACE_HOLDS = Statement(
    "place_holds",
    ["bigint[]", "bigint[]", "text[]", "text[]"],
    """
WITH wanted AS (
    SELECT * FROM unnest($1, $2, $3, $4)
        AS wanted (wallet_id, amount, reference_type, reference_id)
), reserved AS (
    UPDATE billing_wallet AS wallet SET held = held + total.amount
    FROM (
        SELECT wallet_id, sum(amount)::bigint AS amount FROM wanted GROUP BY wallet_id
    ) AS total
    WHERE wallet.id = total.wallet_id
)
INSERT INTO billing_hold
    (wallet_id, amount, captured, refunded, status, reference_type, reference_id)
SELECT wallet_id, amount, 0, 0, 'held', reference_type, reference_id FROM wanted
RETURNING id
""",
)


def resolve_holds(resolutions: Iterable[Resolution], *, then: Sequence[Call] = ()) -> None:
    """Capture or release many holds in one statement; a hold that is resolved already stays.

    The caller holds the wallets' locks (`lock_wallets`). A capture writes one ledger entry
    with the reference of its hold, a release writes none. then: statements that run after it, in
    the same message.
    """
    ordered = sorted(resolutions, key=lambda resolution: resolution.hold_id)
    columns = [one.hold_id for one in ordered], [one.captured for one in ordered]
    run_in_turn((RESOLVE_HOLDS, *columns), *then)
    counting.resolved([one.captured for one in ordered])


# The status is compared as an expression: a planner would look for a few among all that is held,
# and all that was held since the last vacuum.
RESOLVE_HOLDS = Statement(
    "resolve_holds",
    ["bigint[]", "bigint[]"],
    """
WITH outcome AS (
    SELECT * FROM unnest($1, $2) AS outcome (hold_id, captured)
), resolved AS (
    UPDATE billing_hold AS hold
    SET status = CASE WHEN outcome.captured > 0 THEN 'captured' ELSE 'released' END,
        captured = outcome.captured,
        resolved_at = statement_timestamp()
    FROM outcome
    WHERE hold.id = outcome.hold_id AND hold.status || '' = 'held'
    RETURNING hold.id, hold.wallet_id, hold.amount, hold.captured,
              hold.reference_type, hold.reference_id
), total AS (
    SELECT wallet_id, sum(amount) AS amount, sum(captured) AS captured
    FROM resolved GROUP BY wallet_id
), charged AS (
    UPDATE billing_wallet AS wallet
    SET balance = wallet.balance - total.captured, held = wallet.held - total.amount
    FROM total
    WHERE wallet.id = total.wallet_id
    RETURNING wallet.id, wallet.balance + total.captured AS balance_before
)
INSERT INTO billing_ledgerentry
    (wallet_id, kind, amount, balance_after, reason, reference_type, reference_id)
SELECT resolved.wallet_id, 'capture', -resolved.captured,
       charged.balance_before
           - sum(resolved.captured) OVER (PARTITION BY resolved.wallet_id ORDER BY resolved.id),
       '', resolved.reference_type, resolved.reference_id
FROM resolved JOIN charged ON charged.id = resolved.wallet_id
WHERE resolved.captured > 0
ORDER BY resolved.id
""",
)


def pay_top_up(
    *,
    top_up_id: UUID,
    note: str = "",
    actor_id: int | None = None,
    payment_id: str | None = None,
) -> TopUp:
    """Mark a top-up paid and credit its wallet, once.

    A provider that names its payment has the money already, so an expired or failed top-up is
    paid by it too. Raise TopUpAlreadyResolved otherwise; nothing is credited then.
    """
    with transaction.atomic():
        if payment_id:
            _lock_payment(payment_id)
        wallet = lock_wallet(wallet_id=_wallet_id_of(top_up_id))
        top_up = _resolve_top_up(
            top_up_id, TopUp.Status.PAID, note, actor_id, payment_id=payment_id
        )
        _apply(
            wallet=wallet,
            kind=LedgerEntry.Kind.TOP_UP,
            amount=top_up.amount,
            reference=("top_up", str(top_up.pk)),
            actor_id=actor_id,
            reason=note,
        )
        if payment_id:
            _settle_reversals(wallet, top_up)
        cover_shortfall(wallet=wallet)
        top_up.refresh_from_db()
    return top_up


def reject_top_up(*, top_up_id: UUID, note: str, actor_id: int | None = None) -> TopUp:
    """Close a pending top-up without crediting anything."""
    with transaction.atomic():
        return _resolve_top_up(top_up_id, TopUp.Status.FAILED, note, actor_id)


def record_reversal(
    *, provider: str, payment_id: str, external_id: str, cents: int, is_active: bool
) -> TopUp | None:
    """Note a refund or dispute at the provider and take its credits back, or give them back.

    cents: of the payment's currency. A replayed or late event changes nothing: the rows say
    what is reversed now, and the ledger follows them. What ended inactive stays so. Return the
    top-up, or None while the payment is not known here; then paying it settles the reversal.
    """
    with transaction.atomic():
        _lock_payment(payment_id)
        paid = TopUp.objects.filter(provider=provider, payment_id=payment_id).first()
        wallet = lock_wallet(wallet_id=paid.wallet_id) if paid else None
        row, is_new = PaymentReversal.objects.get_or_create(
            external_id=external_id,
            defaults={
                "provider": provider,
                "payment_id": payment_id,
                "cents": cents,
                "is_active": is_active,
            },
        )
        if not is_new and not is_active:
            PaymentReversal.objects.filter(pk=row.pk).update(is_active=False)
        if paid is None or wallet is None:
            return None
        paid.refresh_from_db()
        _settle_reversals(wallet, paid)
        cover_shortfall(wallet=wallet)
        paid.refresh_from_db()
    return paid


def _lock_payment(payment_id: str) -> None:
    """Let a payment and its reversal, which may arrive at once, see each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [payment_id])


def _settle_reversals(wallet: Wallet, top_up: TopUp) -> None:
    """Bring what is taken back of a top-up to what its active reversals say, in proportion."""
    cents = reversed_cents(top_up)
    target = top_up.amount * cents // top_up.cents if top_up.cents else 0
    if target > top_up.reversed:
        _add_shortfall(wallet, top_up, target - top_up.reversed)
    elif target < top_up.reversed:
        _give_back(wallet, top_up, top_up.reversed - target)
    TopUp.objects.filter(pk=top_up.pk).update(reversed=target)


def _add_shortfall(wallet: Wallet, top_up: TopUp, credits: int) -> None:
    """Owe credits of a reversed payment; `cover_shortfall` takes what is available."""
    TopUp.objects.filter(pk=top_up.pk).update(
        reversed=F("reversed") + credits, shortfall=F("shortfall") + credits
    )
    Wallet.objects.filter(pk=wallet.pk).update(shortfall=F("shortfall") + credits)
    wallet.shortfall += credits


def _give_back(wallet: Wallet, top_up: TopUp, credits: int) -> None:
    """Undo a reversal: first what is still owed, then what was taken."""
    forgiven = min(credits, top_up.shortfall)
    _reduce_shortfall(wallet, top_up, forgiven)
    if credits > forgiven:
        _apply(
            wallet=wallet,
            kind=LedgerEntry.Kind.REVERSAL,
            amount=credits - forgiven,
            reference=("top_up", str(top_up.pk)),
            reason="Reversal undone by the payment provider",
        )


def _reduce_shortfall(wallet: Wallet, top_up: TopUp, credits: int) -> None:
    TopUp.objects.filter(pk=top_up.pk).update(shortfall=F("shortfall") - credits)
    Wallet.objects.filter(pk=wallet.pk).update(shortfall=F("shortfall") - credits)
    wallet.shortfall -= credits


def cover_shortfall(*, wallet: Wallet) -> None:
    """Take what a locked wallet owes of reversed payments, as far as it is available."""
    if not wallet.is_frozen:
        return
    for top_up in TopUp.objects.filter(wallet=wallet, shortfall__gt=0).order_by("pk"):
        credits = min(wallet.available, top_up.shortfall)
        if credits == 0:
            return
        _reduce_shortfall(wallet, top_up, credits)
        _apply(
            wallet=wallet,
            kind=LedgerEntry.Kind.REVERSAL,
            amount=-credits,
            reference=("top_up", str(top_up.pk)),
            reason="Payment reversed by the provider",
        )


def grant(
    *, wallet_id: int, amount: int, reason: str, actor_id: int, adjustment_id: UUID
) -> LedgerEntry:
    """Give credits for nothing. amount: 1 or more. The id makes it happen once."""
    if not 1 <= amount <= MAX_AMOUNT:
        raise InvalidAmount(_("A grant is 1 to {most} credits."), most=MAX_AMOUNT)
    return _adjust(LedgerEntry.Kind.GRANT, wallet_id, amount, reason, actor_id, adjustment_id)


def correct(
    *, wallet_id: int, amount: int, reason: str, actor_id: int, adjustment_id: UUID
) -> LedgerEntry:
    """Put a balance right, up or down. Raise BalanceTooLow when less is available."""
    if amount == 0 or abs(amount) > MAX_AMOUNT:
        limits = _("A correction is -{most} to {most} credits, and not 0.")
        raise InvalidAmount(limits, most=MAX_AMOUNT)
    return _adjust(LedgerEntry.Kind.CORRECTION, wallet_id, amount, reason, actor_id, adjustment_id)


def _adjust(
    kind: str, wallet_id: int, amount: int, reason: str, actor_id: int, adjustment_id: UUID
) -> LedgerEntry:
    reason = check_reason(reason)
    reference = ("adjustment", str(adjustment_id))
    with transaction.atomic():
        wallet = lock_wallet(wallet_id=wallet_id)
        if LedgerEntry.objects.filter(reference_type=reference[0], reference_id=reference[1]):
            raise AlreadyApplied(_("This adjustment is in the ledger already."))
        if wallet.available + amount < 0:
            raise BalanceTooLow(available=wallet.available, wanted=-amount)
        entry = _apply(
            wallet=wallet,
            kind=kind,
            amount=amount,
            reference=reference,
            reason=reason,
            actor_id=actor_id,
        )
        cover_shortfall(wallet=wallet)
    return entry


def refund(*, hold_id: int, amount: int, reason: str, actor_id: int) -> LedgerEntry:
    """Give back up to what a hold captured, once. Raise AlreadyApplied or RefundTooLarge."""
    reason = check_reason(reason)
    if amount < 1:
        raise InvalidAmount(_("A refund is at least 1 credit."))
    with transaction.atomic():
        wallet = lock_wallet(
            wallet_id=Hold.objects.values_list("wallet_id", flat=True).get(pk=hold_id)
        )
        hold = Hold.objects.get(pk=hold_id)
        if hold.refunded:
            done = _("{refunded} credits were refunded already.")
            raise AlreadyApplied(done, refunded=hold.refunded)
        if amount > hold.captured:
            raise RefundTooLarge(captured=hold.captured)
        Hold.objects.filter(pk=hold_id).update(refunded=amount)
        entry = _apply(
            wallet=wallet,
            kind=LedgerEntry.Kind.REFUND,
            amount=amount,
            reference=(hold.reference_type, hold.reference_id),
            reason=reason,
            actor_id=actor_id,
        )
        cover_shortfall(wallet=wallet)
    return entry


def check_reason(reason: str) -> str:
    """Give the reason without blanks around it; raise ReasonMissing when nothing is left."""
    reason = reason.strip()
    if not reason:
        raise ReasonMissing
    return reason[:200]


def set_spending_cap(*, wallet_id: int, cap: int | None) -> None:
    """Limit what a calendar month (UTC) may charge; None lifts the limit."""
    if cap is not None and not 0 <= cap <= MAX_AMOUNT:
        raise InvalidAmount(_("A cap is 0 to {most} credits."), most=MAX_AMOUNT)
    Wallet.objects.filter(pk=wallet_id).update(spending_cap=cap)


def _wallet_id_of(top_up_id: UUID) -> int:
    return TopUp.objects.values_list("wallet_id", flat=True).get(pk=top_up_id)


def _resolve_top_up(
    top_up_id: UUID,
    status: str,
    note: str,
    actor_id: int | None,
    *,
    payment_id: str | None = None,
) -> TopUp:
    """Move a top-up to its end by compare-and-set, so that it happens once."""
    open_states = [TopUp.Status.PENDING]
    if payment_id:
        open_states += [TopUp.Status.EXPIRED, TopUp.Status.FAILED]
    changed = TopUp.objects.filter(pk=top_up_id, status__in=open_states).update(
        status=status,
        note=note,
        resolved_by_id=actor_id,
        resolved_at=Now(),
        payment_id=payment_id,
    )
    top_up = TopUp.objects.get(pk=top_up_id)
    if not changed:
        ended = TopUp.Status(top_up.status).label
        raise TopUpAlreadyResolved(format_lazy(_("This top-up is {ended} already."), ended=ended))
    return top_up


def _apply(
    *,
    wallet: Wallet,
    kind: str,
    amount: int,
    reference: tuple[str, str],
    reason: str,
    actor_id: int | None = None,
) -> LedgerEntry:
    """Move a locked wallet's balance by a signed amount and write the entry beside it."""
    if wallet.balance + amount > MAX_AMOUNT:
        raise BalanceTooHigh(most=MAX_AMOUNT)
    wallet.balance += amount
    Wallet.objects.filter(pk=wallet.pk).update(balance=F("balance") + amount)
    counting.moved(kind, amount)
    reference_type, reference_id = reference
    return LedgerEntry.objects.create(
        wallet=wallet,
        kind=kind,
        amount=amount,
        balance_after=wallet.balance,
        actor_id=actor_id,
        reason=reason,
        reference_type=reference_type,
        reference_id=reference_id,
    )
