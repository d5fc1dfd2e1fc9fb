"""Fill the service's database with predictions and time reading them, with its environment."""

import json
import sys
from typing import Any

from benchmarks.books import read, reads, sizes
from benchmarks.ledger import fill

# Of all entries, in the wallet whose owner reads.
SHARE_OF_THE_BUSIEST = 0.3
WALLETS = 500
RUNS = 15


def filled(size: int) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import setup_test_environment

    setup_test_environment()
    owner = fill(rows=size, hot=int(size * SHARE_OF_THE_BUSIEST), wallets=WALLETS)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    timed = [read(name, get, RUNS) for name, get in reads(owner)]
    return {
        "reads": {one.read: one.total_milliseconds for one in timed},
        "database_mb": sizes()["database_mb"],
    }


if __name__ == "__main__":
    print(json.dumps(filled(int(sys.argv[1]))))
