"""Fill the service's database with predictions, or time reading them, with its environment.

`python -m benchmarks.filled_history 10000` fills it, `… read` prints what each read takes.
"""

import json
import sys

from benchmarks.books import read, reads
from benchmarks.ledger import fill

# Of all entries, in the wallet whose owner reads.
SHARE_OF_THE_BUSIEST = 0.3
WALLETS = 500
RUNS = 7


def filled(size: int) -> None:
    from django.db import connection

    fill(rows=size, hot=int(size * SHARE_OF_THE_BUSIEST), wallets=WALLETS)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def timed() -> dict[str, float]:
    """Read as the owner of the longest history; in milliseconds, medians."""
    from django.test.utils import setup_test_environment

    from accounts.models import User

    setup_test_environment()
    # The busiest wallet is the first one that was made.
    owner = User.objects.filter(username="client-0").get()
    found = [read(name, get, RUNS) for name, get in reads(owner)]
    return {one.read: one.total_milliseconds for one in found}


if __name__ == "__main__":
    if sys.argv[1] == "read":
        print(json.dumps(timed()))
    else:
        filled(int(sys.argv[1]))
