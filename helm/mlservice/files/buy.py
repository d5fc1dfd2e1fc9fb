"""Buys one prediction through the API and counts what it cost; exits 1 and says why."""

import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from typing import Any

ADDRESS = os.environ["ADDRESS"].rstrip("/")
# As the proxy in front would send it.
HEADERS = {"Host": os.environ["HOST"], "X-Forwarded-Proto": os.environ.get("SCHEME", "https")}
TOP_UP_CREDITS = 100
NEEDED = (
    "Nothing pays for the test: give test.existingSecret an account with credits (USERNAME and"
    " PASSWORD), or turn config.DEMO_MODE on where no money is real."
)


def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
    request = urllib.request.Request(  # noqa: S310
        f"{ADDRESS}/api/v1/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers=HEADERS | {"Content-Type": "application/json"} | headers,
    )
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        sys.exit(f"{method} {path}: {refusal.code} {refusal.read().decode(errors='replace')}")


def account() -> tuple[dict[str, str], bool]:
    """Give the account to buy with, and whether it must be filled first."""
    if os.environ.get("USERNAME"):
        return {"username": os.environ["USERNAME"], "password": os.environ["PASSWORD"]}, False
    if os.environ.get("DEMO_MODE", "").lower() not in {"true", "1", "yes", "on"}:
        sys.exit(NEEDED)
    name = f"helm-test-{secrets.token_hex(6)}"
    fresh = {"username": name, "password": secrets.token_urlsafe(24)}
    call("POST", "auth/register", fresh | {"email": f"{name}@example.com"})
    return fresh, True


def main() -> None:
    credentials, is_empty = account()
    token = call("POST", "auth/token", credentials)["access"]
    me = {"Authorization": f"Bearer {token}"}
    if is_empty:
        call("POST", "wallet/top-ups", {"amount": TOP_UP_CREDITS, "provider": "demo"}, **me)
    cheapest = min(call("GET", "models")["results"], key=lambda each: each["price"])
    model = call("GET", f"models/{cheapest['slug']}")
    before = call("GET", "wallet", **me)["balance"]
    wanted = {"model": model["slug"], "input": model["example"]}
    made = call("POST", "predictions", wanted, Prefer="wait=60", **me)
    after = call("GET", "wallet", **me)["balance"]
    if made["status"] != "succeeded" or before - after != made["cost"] or not made["cost"]:
        sys.exit(f"{made['status']}, cost {made['cost']}, {before} → {after}: {made['error']}")
    predicted = made["output"][0]["prediction"]
    sys.stdout.write(f"{model['slug']} predicted {predicted} for {made['cost']} credits.\n")


main()
