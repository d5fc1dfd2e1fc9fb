"""The only place that speaks for a client over HTTP in these tests."""

from typing import Any
from uuid import uuid4

import requests

PASSWORD = "a long and private phrase"
TIMEOUT_SECONDS = 60


class Person:
    """A registered client of a running service, signed in, with a balance."""

    def __init__(self, base_url: str, *, credits: int) -> None:
        self.root = f"{base_url}/api/v1"
        self.session = requests.Session()
        self.username = f"person-{uuid4().hex[:12]}"
        names = {"username": self.username, "email": f"{self.username}@example.com"}
        self.post("auth/register", {**names, "password": PASSWORD})
        self.sign_in()
        self.post("wallet/top-ups", {"amount": credits, "provider": "demo"})

    def sign_in(self) -> None:
        tokens = self.post("auth/token", {"username": self.username, "password": PASSWORD})
        self.session.headers["Authorization"] = f"Bearer {tokens['access']}"

    def predict(self, model: dict[str, Any]) -> str:
        """Send the model's own example; return the prediction's id."""
        accepted = self.post("predictions", {"model": model["slug"], "input": model["example"]})
        return str(accepted["id"])

    def get(self, path: str) -> Any:
        return self._read(self.session.get(f"{self.root}/{path}", timeout=TIMEOUT_SECONDS))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.session.post(f"{self.root}/{path}", json=body, timeout=TIMEOUT_SECONDS)
        return self._read(answer)

    @staticmethod
    def _read(answer: requests.Response) -> Any:
        assert answer.ok, f"{answer.status_code} from {answer.url}: {answer.text}"
        return answer.json()
