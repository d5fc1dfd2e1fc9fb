"""The service's benchmark in short: its answers are right and the books balance; no time counts."""

import pytest

from benchmarks.answers import WrongAnswer, check_stored, last_stored
from benchmarks.load import drive, is_installed
from benchmarks.ours import Ours
from benchmarks.people import make_users
from benchmarks.rows import FOREST, LINEAR, Model
from tests.e2e.live import LiveService

CONNECTIONS = 8
SECONDS = 2


@pytest.mark.whole
@pytest.mark.skipif(not is_installed(), reason="wrk is missing: apt-get install wrk")
def test_every_answer_under_load_is_the_estimators_and_the_books_balance(
    live_service: LiveService,
) -> None:
    ours = Ours(live_service, make_users(live_service, count=4, credits=1_000_000))
    after = last_stored(live_service)

    answered = 0
    for model in (Model(FOREST), Model(LINEAR)):
        requests = [ours.request(model, [row], user) for user, row in enumerate(model.rows(50))]
        measured = drive(
            ours.address(model),
            requests,
            connections=CONNECTIONS,
            seconds=SECONDS,
            expected=ours.expected,
            tolerated=ours.later,
        )
        answered += measured.answered
    checked = check_stored(live_service, after=after)

    # What was on its way when the load stopped is stored as well.
    assert checked >= answered > 0


class Shifted(Model):
    """Says other than the estimator does."""

    def predict(self, rows: object) -> list[float]:
        return [value + 1 for value in super().predict(rows)]  # type: ignore[arg-type]


@pytest.mark.whole
def test_a_wrong_answer_is_found(live_service: LiveService) -> None:
    [token] = make_users(live_service, count=1, credits=1_000)
    ours, model = Ours(live_service, [token]), Model(LINEAR)
    after = last_stored(live_service)

    answer = ours.predict(model, model.rows(3))

    assert answer.status_code in (ours.expected, ours.later)
    with pytest.raises(WrongAnswer):
        check_stored(live_service, after=after, model_of=Shifted)
    assert check_stored(live_service, after=after) == 1
