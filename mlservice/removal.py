"""What is left of a closed account is removed afterwards: the only place that joins the two."""

import time

from accounts.closing import leavers_with_data, note_data_removed
from predictions.removal import remove_rows

# The duties share one child, and letters must not wait long for it.
RUN_SECONDS = 30


def remove_what_leavers_sent() -> int:
    """Remove what closed accounts sent and got, in a bounded time; return how many are done."""
    ends_at, done = time.monotonic() + RUN_SECONDS, 0
    for user_id in leavers_with_data():
        if not remove_rows(user_id=user_id, ends_at=ends_at):
            break
        note_data_removed(user_id=user_id)
        done += 1
    return done
