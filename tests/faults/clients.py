"""Clients that go on while something breaks: they note every answer and try again with a key."""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import requests
from requests.adapters import HTTPAdapter

from tests.e2e.people import Person
from tests.faults.form import PREDICTIONS
from tests.faults.stack import Stack

MODELS = ("linear-regression", "random-forest")
CREDITS = 1_000_000
# Longer than any outage that a test makes.
PATIENCE_SECONDS = 90
RETRY_SECONDS = 0.2
REQUEST_SECONDS = 75
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt met: the status (0 when the connection broke) and how long it took."""

    sent_at: float
    seconds: float
    status: int
    content_type: str = ""
    retry_after: str = ""
    text: str = ""

    @property
    def is_accepted(self) -> bool:
        return self.status in {201, 202}

    @property
    def is_polite_refusal(self) -> bool:
        """Whether it is what an unavailable service says: 503, why, and when to come again."""
        return (
            self.status == 503
            and self.content_type.startswith("application/problem+json")
            and self.retry_after.isdigit()
        )


class Client(Person):
    """A person whose program repeats a request with its key until it is accepted."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.service.base_url, credits=CREDITS)
        # Several threads may speak for one person.
        self.session.mount("http://", HTTPAdapter(pool_maxsize=64))
        self.user_id = int(stack.query(USER_ID, self.username)[0][0])

    def send(self, body: dict[str, Any], *, root: str, **headers: str) -> tuple[Answer, Any]:
        """Post a prediction once."""
        began = time.monotonic()
        try:
            response = self.session.post(
                f"{root}/predictions",
                json=body,
                headers=headers,
                timeout=REQUEST_SECONDS,
            )
        except requests.RequestException as broken:
            return Answer(began, time.monotonic() - began, NO_ANSWER, text=str(broken)), None
        answer = Answer(
            began,
            time.monotonic() - began,
            response.status_code,
            response.headers.get("Content-Type", ""),
            response.headers.get("Retry-After", ""),
            response.text[:500],
        )
        return answer, response.json() if answer.is_accepted else None


USER_ID = "SELECT id FROM accounts_user WHERE username = %s"


@dataclass
class Load:
    """Predictions that several people send at the same time, for several models.

    Used as a context it sends in the background; without a count it goes on until the end.
    """

    clients: Sequence[Client]
    bodies: Sequence[dict[str, Any]]
    count: int | None = PREDICTIONS
    per_second: float = 50.0
    roots: Sequence[str] = ()
    # Whether a refusal that says when to come again is followed by another try.
    patient: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    # Requests without keys wait for a locked wallet as long as it takes.
    keyed: bool = True
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    given_up: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.roots = self.roots or [self.clients[0].root]
        self.stopped = threading.Event()
        self.threads: list[threading.Thread] = []
        self.troubles: list[Exception] = []

    def __enter__(self) -> "Load":
        self.threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(len(self.clients))
        ]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.count is None or error[0] is not None:
            self.stopped.set()
        for thread in self.threads:
            thread.join()
        if self.troubles and error[0] is None:
            raise self.troubles[0]

    def send_all(self) -> "Load":
        """Send everything and return when all of it was answered."""
        with self:
            pass
        return self

    @property
    def ids(self) -> list[str]:
        return list(self.accepted)

    def _work(self, number: int) -> None:
        try:
            self._send_share(number)
        # Raised again where the load ends: a thread's own trouble is nobody's otherwise.
        except Exception as trouble:
            self.troubles.append(trouble)

    def _send_share(self, number: int) -> None:
        """Send each n-th prediction, evenly over time."""
        began = time.monotonic()
        for turn in range(number, self.count or 10**9, len(self.clients)):
            pause = began + turn / self.per_second - time.monotonic()
            if self.stopped.wait(max(0.0, pause)):
                return
            self._send_until_accepted(self.clients[number], turn)

    def _send_until_accepted(self, client: Client, turn: int) -> None:
        body = self.bodies[(turn // len(self.clients)) % len(self.bodies)]
        key = {"Idempotency-Key": uuid4().hex} if self.keyed else {}
        deadline, attempt = time.monotonic() + PATIENCE_SECONDS, turn
        while True:
            root = self.roots[attempt % len(self.roots)]
            answer, document = client.send(body, root=root, **self.headers, **key)
            self.answers.append(answer)
            if document is not None:
                self.accepted[document["id"]] = document
                return
            is_retryable = self.patient and answer.status in {NO_ANSWER, 503}
            if not is_retryable or time.monotonic() > deadline:
                self.given_up.append(answer)
                return
            attempt += 1
            time.sleep(RETRY_SECONDS)


def p99(answers: Sequence[Answer]) -> float:
    """Return the seconds within which 99 of 100 answers came."""
    ordered = sorted(answer.seconds for answer in answers)
    return ordered[math.ceil(len(ordered) * 0.99) - 1]
