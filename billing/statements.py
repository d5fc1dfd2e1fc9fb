"""A wallet's month (UTC): opening, what moved, closing; what is added up always agrees."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection
from django.db.models import QuerySet, Sum
from django.http import Http404, StreamingHttpResponse

from billing.models import LedgerEntry, Wallet
from mlservice.lib.snapshot import one_snapshot

HEADER = ("id", "created_at", "kind", "amount", "balance_after", "reason", "reference")
MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Statement:
    """One month of a wallet, in credits: opening + the sum of `totals` = closing.

    `entries` are those that `totals` add up, however much later they are read.
    """

    month: datetime
    opening: int
    totals: dict[str, int]
    entries: QuerySet[LedgerEntry]

    @property
    def closing(self) -> int:
        return self.opening + sum(self.totals.values())


def month_of(text: str) -> datetime:
    """Read `YYYY-MM` as the month's first moment in UTC. Raise Http404 for no such month."""
    if not MONTH.fullmatch(text):
        raise Http404
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise Http404 from error


def month_after(month: datetime) -> datetime:
    """Give the first moment of the next month."""
    years, months = divmod(month.month, 12)
    return month.replace(year=min(month.year + years, 9999), month=months + 1)


def month_before(month: datetime) -> datetime:
    """Give the first moment of the month before; the first month of all stays."""
    back = month.month - 1 or 12
    return month.replace(year=max(month.year - (back == 12), 1), month=back)


def statement(*, wallet: Wallet, month: datetime) -> Statement:
    """Add up a month. Its entries are cut by id, so neighbouring months meet without a gap.

    Were the database's clock ever set back, an entry might stand in the neighbouring month, but
    never in two or in none.
    """
    with one_snapshot():
        before, entries = around(wallet, month)
        opening = before.order_by("-id").values_list("balance_after", flat=True).first() or 0
        last_id, closing = entries.order_by("-id").values_list("id", "balance_after").first() or (
            0,
            opening,
        )
        others = entries.exclude(kind=LedgerEntry.Kind.CAPTURE)
        totals = dict(others.order_by("kind").values_list("kind").annotate(Sum("amount")))
    # What all others do not explain was charged: a million charges are not added up.
    if charged := closing - opening - sum(totals.values()):
        totals = {LedgerEntry.Kind.CAPTURE.value: charged} | totals
    # Entries of a wallet are only ever added, with higher ids, so these ones stay the same.
    return Statement(month, opening, totals, entries.filter(id__lte=last_id))


def around(wallet: Wallet, month: datetime) -> tuple[QuerySet[LedgerEntry], QuerySet[LedgerEntry]]:
    """Give the entries before a month, and those in it."""
    entries = wallet.entries.all()
    start, end = cut(wallet, month)
    if start is None:
        return entries, entries.none()
    begun = entries.filter(id__gte=start)
    return entries.filter(id__lt=start), begun if end is None else begun.filter(id__lt=end)


# Each step jumps by the index to the entry that is first by time in the next month with any.
CUT = """
WITH RECURSIVE begun (id, month) AS (
    (SELECT id, date_trunc('month', created_at AT TIME ZONE 'UTC')
     FROM billing_ledgerentry
     WHERE wallet_id = %(wallet)s AND created_at >= %(month)s
     ORDER BY created_at, id LIMIT 1)
    UNION ALL
    SELECT later.id, date_trunc('month', later.created_at AT TIME ZONE 'UTC')
    FROM begun CROSS JOIN LATERAL (
        SELECT id, created_at FROM billing_ledgerentry
        WHERE wallet_id = %(wallet)s
          AND created_at >= (begun.month + interval '1 month') AT TIME ZONE 'UTC'
        ORDER BY created_at, id LIMIT 1) AS later
)
SELECT min(id), min(id) FILTER (WHERE month > %(month)s AT TIME ZONE 'UTC') FROM begun
"""


def cut(wallet: Wallet, month: datetime) -> tuple[int | None, int | None]:
    """Find the ids at which a month and the next one begin; None where nothing came later.

    A month begins at the lowest of the ids that come first, by time, in it or in any later
    month. That can only grow from month to month, whatever the clock did, so months neither
    overlap nor leave an entry out; and it costs one look into the index per month.
    """
    with connection.cursor() as cursor:
        cursor.execute(CUT, {"wallet": wallet.pk, "month": month})
        start, end = cursor.fetchone()
    return start, end


class _Echo:
    def write(self, line: str) -> str:
        return line


def as_csv(month: Statement) -> Iterator[str]:
    """Yield the lines of a month's entries, oldest first, safe to open in a spreadsheet."""
    write = csv.writer(_Echo()).writerow
    yield write(HEADER)
    for entry in month.entries.order_by("id").iterator(chunk_size=2_000):
        made = entry.created_at.astimezone(UTC).isoformat()
        about = f"{entry.reference_type}:{entry.reference_id}"
        numbers = (entry.amount, entry.balance_after)
        yield write([entry.pk, made, entry.kind, *numbers, safe(entry.reason), safe(about)])


def csv_response(month: Statement) -> StreamingHttpResponse:
    """Hand out all entries of a month as a file."""
    name = f"statement-{month.month:%Y-%m}.csv"
    return StreamingHttpResponse(
        as_csv(month),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def safe(cell: str) -> str:
    """Keep a spreadsheet from reading text as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
