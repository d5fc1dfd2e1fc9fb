"""The steady load of the soak: many users, both models, retries with keys, cancels, deadlines."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import requests

from tests.faults.clients import NO_ANSWER, REQUEST_SECONDS, Answer, Client

TOKEN_SECONDS = 200
RETRY_SECONDS = 0.5
# One in so many is sent again with its key, canceled, or given a deadline.
REPEATED, CANCELED, HURRIED = 20, 30, 40
# The shortest that is accepted.
DEADLINE = "5s"


@dataclass
class SteadyLoad:
    """Sends at a rate until it is told to stop, and never gives up what it has begun."""

    clients: Sequence[Client]
    bodies: Sequence[dict[str, Any]]
    per_second: float
    seed: int
    accepted: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    repeated: int = 0
    cancels: int = 0

    def __post_init__(self) -> None:
        self.stopped = threading.Event()
        self.threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(len(self.clients))
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _work(self, number: int) -> None:
        try:
            self._send(number)
        # The report must not be clean when a client has fallen silent.
        except Exception as trouble:
            self.wrong.append(f"client {number}: {trouble!r}")

    def _send(self, number: int) -> None:
        client, chance = self.clients[number], random.Random(self.seed + number)
        signed_in_at, pause = time.monotonic(), len(self.clients) / self.per_second
        while not self.stopped.wait(chance.uniform(0, 2 * pause)):
            if time.monotonic() - signed_in_at > TOKEN_SECONDS and renewed(client):
                signed_in_at = time.monotonic()
            self._predict(client, chance)

    def _predict(self, client: Client, chance: random.Random) -> None:
        headers = {"Idempotency-Key": uuid4().hex}
        if chance.randrange(HURRIED) == 0:
            headers["Cancel-After"] = DEADLINE
        body = chance.choice(self.bodies)
        id = self._until_accepted(client, body, headers)
        if id is None:
            return
        self.accepted[id] = client.user_id
        if chance.randrange(REPEATED) == 0:
            self.repeated += 1
            again = self._until_accepted(client, body, headers)
            if again != id:
                self.wrong.append(f"one key made {id} and {again}")
        if chance.randrange(CANCELED) == 0:
            self._cancel(client, id)

    def _until_accepted(
        self, client: Client, body: dict[str, Any], headers: dict[str, str]
    ) -> str | None:
        while True:
            answer, document = client.send(body, root=client.root, **headers)
            if document is not None:
                return str(document["id"])
            self.refused[name_of(answer)] += 1
            if answer.status == 401:
                renewed(client)
            elif not is_retryable(answer):
                self.wrong.append(f"{answer.status}: {answer.text}")
                return None
            time.sleep(RETRY_SECONDS)

    def _cancel(self, client: Client, id: str) -> None:
        """Ask once; a prediction that has finished refuses, and that is right."""
        try:
            answer = client.session.post(
                f"{client.root}/predictions/{id}/cancel", timeout=REQUEST_SECONDS
            )
        except requests.RequestException:
            return
        self.cancels += 1
        if answer.status_code not in {200, 401, 409, 503}:
            self.wrong.append(f"cancel: {answer.status_code}: {answer.text[:200]}")


def renewed(client: Client) -> bool:
    """Sign in anew; while the service is away the old token may still do."""
    try:
        client.sign_in()
    except (AssertionError, requests.RequestException):
        return False
    return True


def name_of(answer: Answer) -> str:
    return "no answer" if answer.status == NO_ANSWER else str(answer.status)


def is_retryable(answer: Answer) -> bool:
    """Whether the client was told to come again, or that its first try is still under way."""
    return answer.status in {NO_ANSWER, 409} or answer.is_polite_refusal
