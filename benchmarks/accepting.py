"""W2: how many predictions a second are accepted, beside a view that does nothing but INSERT."""

from typing import Any

from benchmarks.answers import check_stored, last_stored
from benchmarks.load import drive
from benchmarks.naive.target import Naive
from benchmarks.ours import Ours
from benchmarks.rows import LINEAR, Model
from benchmarks.servers import Servers
from benchmarks.turns import REQUESTS, ROWS, told

CONNECTIONS = 16
BARE_TABLE = """
    CREATE TABLE IF NOT EXISTS bare_accepted
        (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint, input text)"""


def accept(servers: Servers, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure many users, one hot user and the bare view in turn; nothing works meanwhile."""
    figures = []
    for number in range(rounds):
        for turn in (ours, bare)[:: -1 if number % 2 else 1]:
            found = turn(servers, seconds)
            figures += [{"target": name, "round": number + 1, **one} for name, one in found.items()]
    return {"connections": CONNECTIONS, "figures": figures}


def ours(servers: Servers, seconds: float) -> dict[str, dict[str, Any]]:
    """Accept with the web processes alone, then work it all off and check what came of it."""
    target, model = Ours(servers.service, servers.tokens), Model(LINEAR)
    rows = model.rows(ROWS)
    users = {"ours, many users": range(REQUESTS), "ours, one hot user": [0] * REQUESTS}
    after, found = last_stored(servers.service), {}
    with target.accepting():
        for name, clients in users.items():
            requests = [
                target.accept_only(model, [rows[number % ROWS]], client)
                for number, client in enumerate(clients)
            ]
            found[name] = accepted(target.address(model), requests, seconds, status=202)
        target.start_working()
        check_stored(servers.service, after=after)
    return found


def bare(servers: Servers, seconds: float) -> dict[str, dict[str, Any]]:
    """Accept with the view that does one INSERT, and see that it did."""
    servers.service.query(BARE_TABLE)
    target, model = Naive(servers.service, servers.tokens), Model(LINEAR)
    rows = model.rows(ROWS)
    requests = [target.bare(model, [rows[number % ROWS]], number) for number in range(REQUESTS)]
    with target.running():
        before = stored(servers)
        figure = accepted(target.address(model), requests, seconds, status=201)
        # What was on its way when the load stopped is stored and not counted.
        lost = figure["answered"] - (stored(servers) - before)
        assert lost <= 0, f"{lost} of {figure['answered']} rows were not stored"
    return {"bare INSERT": figure}


def stored(servers: Servers) -> int:
    return int(servers.service.query("SELECT count(*) FROM bare_accepted")[0][0])


def accepted(address: str, requests: list[str], seconds: float, *, status: int) -> dict[str, Any]:
    drive(address, requests, connections=CONNECTIONS, seconds=1, expected=status)
    return told(drive(address, requests, connections=CONNECTIONS, seconds=seconds, expected=status))
