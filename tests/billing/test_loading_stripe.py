"""Goal: Stripe's library is in memory only where cards are paid with.

Method: a process of its own loads the service and tells what came with it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys
import django
django.setup()
import billing.providers.stripe, mlservice.urls, mlservice.wsgi
told = ["stripe" in sys.modules]
billing.providers.stripe.client()
print(json.dumps([*told, "stripe" in sys.modules]))
"""


def test_the_service_loads_it_at_the_first_payment_by_card() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=CHECKOUT,
        env=os.environ | {"STRIPE_API_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "whsec_1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout.splitlines()[-1]) == [False, True]
