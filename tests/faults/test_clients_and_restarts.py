"""Processes are renewed under load and clients hang up: who tries again gets one answer."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from uuid import uuid4

from tests.faults.clients import NO_ANSWER, Answer, Client
from tests.faults.conftest import LoadMaker
from tests.faults.form import PREDICTIONS, sized
from tests.faults.invariants import assert_all_succeeded, wait_for_quiet
from tests.faults.stack import Stack

ROUNDS = sized(10, short=1)
# As long as one may wait; on a connection of its own, which nobody closes while it idles.
PATIENT = {"Prefer": "wait=60", "Connection": "close"}
REFUSED = "Connection refused"
WAITING = "SELECT 1 FROM predictions_prediction WHERE status = 'starting' LIMIT 1"
OF_KEY = "SELECT count(*) FROM predictions_prediction WHERE idempotency_key = %s"


def test_a_rolling_restart_shows_clients_nothing_but_retryable_answers(
    stack: Stack, load: LoadMaker
) -> None:
    """The guard: a process that is told to stop first answers all who wait or have connected."""
    # Two processes that listen together, beside the one that listens alone.
    twice = {"WEB_CONCURRENCY": "2"}
    roots = [f"{stack.service.base_url}/api/v1", f"{stack.add_web('web-2', **twice)}/api/v1"]

    with load(count=None, per_second=20, roots=roots, headers=PATIENT) as sent:
        stack.service.wait_until(lambda: len(sent.ids) > PREDICTIONS // 8, "the load is under way")
        for number in range(2, 2 + ROUNDS):
            stack.end("worker")
            stack.service.wait_until(lambda: bool(stack.query(WAITING)), "somebody waits")
            time.sleep(1)
            stack.begin("web")
            stack.begin("relay")
            stack.begin("worker")
            stack.end(f"web-{number}")
            sent.roots = [roots[0], f"{stack.add_web(f'web-{number + 1}', **twice)}/api/v1"]
    wait_for_quiet(stack, sent)

    refused = [answer for answer in sent.answers if not answer.is_accepted]
    assert [one for one in refused if not (one.is_polite_refusal or was_refused(one))] == []
    assert_all_succeeded(stack, sent)


def was_refused(answer: Answer) -> bool:
    """Whether the connection was not taken, so that a proxy would have asked the next process."""
    return answer.status == NO_ANSWER and REFUSED in answer.text


def test_a_client_that_hangs_up_and_tries_again_has_one_prediction(
    stack: Stack, load: LoadMaker, people: list[Client]
) -> None:
    """The guard: the key is unique for its user, in the transaction that makes the prediction."""
    keys = [uuid4().hex for _ in range(PREDICTIONS)]
    sent = load(0)
    body = sent.bodies[0]

    def hang_up_and_repeat(number: int) -> tuple[str, dict[str, object]]:
        client, key = people[number % len(people)], keys[number]
        hang_up(client, body, key)
        while True:
            answer, document = client.send(body, root=client.root, **{"Idempotency-Key": key})
            if document is not None:
                return key, document
            assert answer.status == 409, answer

    with ThreadPoolExecutor(len(people)) as pool:
        documents = dict(pool.map(hang_up_and_repeat, range(len(keys))))
    sent.accepted |= {str(document["id"]): document for document in documents.values()}
    sent.count = len(keys)
    wait_for_quiet(stack, sent)

    assert {stack.query(OF_KEY, key)[0][0] for key in keys} == {1}
    assert_all_succeeded(stack, sent)


def hang_up(client: Client, body: dict[str, object], key: str) -> None:
    """Send a whole request and close the connection without reading a word."""
    to = urlsplit(client.root)
    content = json.dumps(body).encode()
    head = [
        f"POST {to.path}/predictions HTTP/1.1",
        f"Host: {to.netloc}",
        f"Authorization: {client.session.headers['Authorization']!s}",
        f"Idempotency-Key: {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    with socket.create_connection((to.hostname, to.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + content)
