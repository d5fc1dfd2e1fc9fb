"""The only place that makes the users of a benchmark: funded, with tokens that outlast it.

Run by itself, `python -m benchmarks.people 64 1000000`, it prints their tokens; it then needs the
environment of the service that they are to be users of.
"""

import json
import sys
from datetime import timedelta
from uuid import uuid4

import django

from tests.e2e.live import LiveService

TOKENS_LAST = timedelta(hours=12)


def make_users(service: LiveService, *, count: int, credits: int) -> list[str]:
    """Make users of a service and return their tokens."""
    done = service.run_python("-m", "benchmarks.people", str(count), str(credits))
    assert done.returncode == 0, done.stderr
    tokens: list[str] = json.loads(done.stdout)
    return tokens


def users_here(count: int, credits: int) -> list[str]:
    # Models can be imported once Django is set up.
    from django.utils import timezone
    from rest_framework_simplejwt.tokens import AccessToken

    from accounts.services import register_user
    from billing.services import wallet_of
    from billing.top_ups import start_top_up

    made = []
    for _ in range(count):
        name = f"bench-{uuid4().hex[:12]}"
        user = register_user(
            username=name,
            email=f"{name}@example.com",
            password="a long and private phrase",
            email_confirmed_at=timezone.now(),
        )
        start_top_up(wallet=wallet_of(user.pk), amount=credits, provider="demo")
        access = AccessToken.for_user(user)
        access.set_exp(lifetime=TOKENS_LAST)
        made.append(str(access))
    return made


if __name__ == "__main__":
    django.setup()
    print(json.dumps(users_here(*map(int, sys.argv[1:]))))
