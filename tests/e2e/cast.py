"""A client with something on every page, and the operator who decides on it."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.live import LiveService
from tests.e2e.people import Person

CREDITS = 5_000


@dataclass(frozen=True)
class Cast:
    """Who signs in, and the addresses of what is theirs."""

    client: str
    prediction: str
    explained: str
    top_up: str
    paid: str
    month: str


def assemble(service: LiveService) -> Cast:
    """Have a client predict, top up and meet every state that a page shows."""
    person = Person(service.base_url, credits=CREDITS)
    forest = person.get("models/random-forest")
    line = person.get("models/linear-regression")
    wrong = line["example"] | {"carat": "heavy"}
    rows = finished(service, person, line, [line["example"], wrong])
    explained = finished(service, person, forest, [forest["example"]], explain=True)
    for _ in range(3):
        finished(service, person, line, [line["example"]])
    paid = person.post("wallet/top-ups", {"amount": 300, "provider": "demo"})
    waiting = person.post("wallet/top-ups", {"amount": 700, "provider": "manual"})
    service.manage("seed_demo")
    return Cast(
        client=person.username,
        prediction=f"/predictions/{rows['id']}",
        explained=f"/predictions/{explained['id']}",
        top_up=f"/wallet/top-ups/{waiting['id']}",
        paid=f"/wallet/top-ups/{paid['id']}",
        month=rows["created_at"][:7],
    )


def finished(
    service: LiveService, person: Person, model: dict[str, Any], rows: list[Any], **fields: Any
) -> dict[str, Any]:
    body = {"model": model["slug"], "input": rows, **fields}
    sent: dict[str, Any] = person.post("predictions", body)

    def is_done() -> bool:
        return bool(person.get(f"predictions/{sent['id']}")["completed_at"])

    service.wait_until(is_done, "a prediction of the cast is done")
    return sent
