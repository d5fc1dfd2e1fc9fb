"""Goal: promote, roll back and price anew under 50 requests a second, and nobody notices but by
the version and the price of the answers, in every web process within 5 seconds.

Method: clients that keep their connection, and so stay with one process each, ask all the time.
"""

import http.client
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests

from tests.debian.ports import free_port
from tests.e2e.live import LiveService
from tests.e2e.people import Person

pytestmark = pytest.mark.whole

SLUG = "linear-regression"
# So many that the pace holds while each waits a second for its answer.
CLIENTS = 80
PER_SECOND = 55
# What a machine that is busy with other things must still answer for the test to mean anything;
# two cores that do nothing else keep the whole pace.
LEAST_PER_SECOND = 30
FOLLOWED_WITHIN_SECONDS = 5
# A whole round, in which each client asks once, at the least pace, and a little more: those of one
# process may be due one after another, and then the other hears nothing for the most of a round.
WATCHED_SECONDS = 1.2 * CLIENTS / LEAST_PER_SECOND
# By one client's address and the server's: the inode of the socket that the server holds.
SOCKETS = Path("/proc/net/tcp")
# Run by the service's own shell: there and back again, and then another price.
TO_AND_FRO = """
from ml_models.pointers import promote, roll_back
from ml_models.selectors import registered_version
from ml_models.services import set_price
first, second = (registered_version(slug={slug!r}, number=number) for number in (1, {number}))
promote(version=second)
roll_back(model=first.model)
set_price(version=first, price=3)
"""
AS_BEFORE = """
from ml_models.pointers import promote
from ml_models.selectors import registered_version
from ml_models.services import set_price
first = registered_version(slug={slug!r}, number=1)
promote(version=first)
set_price(version=first, price=1)
"""
LAST_CHANGE_AT = """
SELECT extract(epoch FROM greatest(
    (SELECT max(moved_at) FROM ml_models_pointermove),
    (SELECT max(changed_at) FROM ml_models_pricechange)
))::float8
"""
MADE_BY = """
SELECT prediction.id::text, version.number, prediction.cost
FROM predictions_prediction AS prediction
JOIN ml_models_modelversion AS version ON version.id = prediction.version_id
WHERE prediction.id = ANY(%s::uuid[]) AND prediction.status = 'succeeded'
"""


@dataclass(frozen=True)
class Answer:
    """One answer: when it was asked for, which process gave it, and what it said."""

    asked_at: float
    process: int
    status: int
    document: dict[str, Any]

    @property
    def offer(self) -> tuple[int, int]:
        return self.document["version"], self.document["price"]


class Client:
    """One kept connection, with the token of a person."""

    def __init__(self, port: int, person: Person, *, waits: bool) -> None:
        self.port = port
        self.headers = {
            "Authorization": str(person.session.headers["Authorization"]),
            "Content-Type": "application/json",
            **({"Prefer": "wait=10"} if waits else {}),
        }
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.ask("GET", "/livez")
        self.process = 0

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def find_process(self, processes: list[int]) -> int:
        """Note which of the processes holds the other end of this connection."""
        mine = self.connection.sock.getsockname()[1]
        inode = inode_of(local_port=self.port, remote_port=mine)
        self.process = next(pid for pid in processes if f"socket:[{inode}]" in open_files(pid))
        return self.process

    def ask_until(self, is_over: Event, body: bytes, first_at: float) -> list[Answer]:
        """Ask at a steady pace that does not wait for the answers' sake."""
        answers, due = [], first_at
        while not is_over.wait(max(0.0, due - time.time())):
            asked_at = time.time()
            status, content = self.ask("POST", "/api/v1/predictions", body)
            answers.append(Answer(asked_at, self.process, status, json.loads(content)))
            due += CLIENTS / PER_SECOND
        return answers


def inode_of(*, local_port: int, remote_port: int) -> str:
    ends = (f":{local_port:04X}", f":{remote_port:04X}")
    lines = (line.split() for line in SOCKETS.read_text().splitlines()[1:])
    return next(
        line[9] for line in lines if line[1].endswith(ends[0]) and line[2].endswith(ends[1])
    )


def open_files(pid: int) -> set[str]:
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    return found


@contextmanager
def two_web_processes(service: LiveService) -> Iterator[tuple[int, list[int]]]:
    """Run a second web server with two processes; give its port and their ids."""
    port = free_port()
    service.spawn("pair", kind="web", env={"PORT": str(port), "WEB_CONCURRENCY": "2"})

    def is_ready() -> bool:
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5)
        except requests.RequestException:
            return False
        return answer.ok and len(service.children("pair")) == 2

    try:
        service.wait_until(is_ready, "both web processes are ready")
        yield port, service.children("pair")
    finally:
        service.end("pair")


def connect(port: int, processes: list[int], people: list[Person]) -> list[Client]:
    """Open the clients' connections so that each process serves a good part of them."""
    clients: list[Client] = []
    least = CLIENTS // 4
    for attempt in range(20 * CLIENTS):
        # A few wait for the result; the rest are looked up when all is done.
        client = Client(port, people[attempt % len(people)], waits=attempt % 4 == 0)
        process = client.find_process(processes)
        others = sum(one.process != process for one in clients)
        if len(clients) - others < CLIENTS - least:
            clients.append(client)
        if len(clients) == CLIENTS:
            return clients
    raise AssertionError(f"One process took nearly all of {20 * CLIENTS} connections.")


@contextmanager
def asking(clients: list[Client], body: bytes) -> Iterator[list[Answer]]:
    """Let all clients ask while the block runs; the answers are there when it ends."""
    answers: list[Answer] = []
    is_over, began = Event(), time.time()
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [
            pool.submit(client.ask_until, is_over, body, began + place / PER_SECOND)
            for place, client in enumerate(clients)
        ]
        try:
            yield answers
        finally:
            is_over.set()
    answers.extend(answer for one in asked for answer in one.result())


@pytest.fixture
def dearer_version(live_service: LiveService) -> Iterator[int]:
    """The same estimator at 7 credits a row; in the end all is priced and served as before."""
    said = live_service.manage("publish_model", SLUG, "--price", "7").stdout
    yield int(said.split()[2])
    live_service.manage("shell", "-c", AS_BEFORE.format(slug=SLUG))


def test_every_process_follows_within_five_seconds_and_no_request_is_dropped(
    live_service: LiveService, dearer_version: int
) -> None:
    people = [Person(live_service.base_url, credits=9_000) for _ in range(2)]
    example = people[0].get(f"models/{SLUG}")["example"]
    body = json.dumps({"model": SLUG, "input": example}).encode()
    # What must be offered from when until when.
    expected: list[tuple[tuple[int, int], float, float]] = []

    def followed(offer: tuple[int, int]) -> None:
        since = live_service.query(LAST_CHANGE_AT)[0][0] + FOLLOWED_WITHIN_SECONDS
        time.sleep(max(0.0, since + WATCHED_SECONDS - time.time()))
        expected.append((offer, since, time.time()))

    with two_web_processes(live_service) as (port, processes):
        clients = connect(port, processes, people)
        began = time.time()
        with asking(clients, body) as answers:
            time.sleep(WATCHED_SECONDS)
            expected.append(((1, 1), began, time.time()))
            live_service.manage("promote_model", SLUG, str(dearer_version))
            followed((dearer_version, 7))
            live_service.manage("roll_back_model", SLUG)
            to_and_fro = TO_AND_FRO.format(slug=SLUG, number=dearer_version)
            live_service.manage("shell", "-c", to_and_fro)
            followed((1, 3))
            seconds = time.time() - began

    assert {answer.status for answer in answers} <= {201, 202}
    assert len(answers) / seconds >= LEAST_PER_SECOND, len(answers) / seconds
    for offer, since, until in expected:
        seen = [answer for answer in answers if since <= answer.asked_at <= until]
        assert {answer.process for answer in seen} == set(processes)
        assert {answer.offer for answer in seen} == {offer}
    assert {answer.offer for answer in answers} == {offer for offer, _, _ in expected}
    said = {answer.document["id"]: answer.offer for answer in answers}
    live_service.wait_until(
        lambda: len(live_service.query(MADE_BY, [list(said)])) == len(answers), "all succeeded"
    )
    assert {row[0]: row[1:] for row in live_service.query(MADE_BY, [list(said)])} == said
