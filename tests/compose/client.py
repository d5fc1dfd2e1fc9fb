"""The only place that is a client of the stack: it comes through the proxy, by the API alone."""

import json
import ssl
import urllib.request
from typing import Any
from uuid import uuid4

ROW = {
    "carat": 0.7,
    "cut": "Very Good",
    "color": "F",
    "clarity": "VVS1",
    "depth": 59.3,
    "table": 62.0,
    "x": 5.74,
    "y": 5.77,
    "z": 3.41,
}
PRICES = {"random-forest": 5, "linear-regression": 1}
CREDITS = 100


class Client:
    """A person with an account of their own, who has bought credits."""

    def __init__(self, address: str = "http://127.0.0.1", trusts: str | None = None) -> None:
        self.address = address
        self.context = ssl.create_default_context(cafile=trusts) if trusts else None
        self.token = ""
        self.register()

    def register(self) -> None:
        person = {"username": f"ada-{uuid4().hex[:8]}", "password": f"a-phrase-{uuid4().hex}"}
        self.ask("auth/register", person | {"email": f"{person['username']}@example.com"})
        self.token = self.ask("auth/token", person)["access"]

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Prefer": "wait=30"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(
            f"{self.address}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers=headers,
        )
        with urllib.request.urlopen(request, timeout=60, context=self.context) as answer:
            return json.load(answer)

    def balance(self) -> int:
        return int(self.ask("wallet")["balance"])

    def buy_one_of_each(self) -> dict[str, float]:
        """Top up, predict with both models, and see that each cost its price and nothing else."""
        self.ask("wallet/top-ups", {"amount": CREDITS})
        values = {}
        for model, price in PRICES.items():
            before = self.balance()
            values[model] = self.predict(model, price)
            assert self.balance() == before - price, f"{model} cost something else than its price"
        return values

    def predict(self, model: str, price: int) -> float:
        made = self.ask("predictions", {"model": model, "input": ROW})
        kept = self.ask(f"predictions/{made['id']}")
        assert kept["status"] == "succeeded", kept
        assert kept["cost"] == price, kept
        assert kept["output"] == made["output"]
        value = float(kept["output"][0]["prediction"])
        assert 500 < value < 20_000, f"{value} dollars is no price of such a diamond"
        return value
