"""Goal: a statement says the same whether it is sent whole or prepared, and its plan gets old.

Method: statements of this file's own are run on the test's connection, and PostgreSQL is asked
what that connection has prepared.
"""

import re
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import DataError, connection, transaction

from accounts.models import User
from mlservice.lib import prepared
from mlservice.lib.prepared import PLAN_SECONDS, RUNS_BEFORE, Statement, run_in_turn
from tests.conftest import make_user

ADD = Statement("test_add", ["bigint", "bigint"], "SELECT $1 + $2")
APPS = ("accounts", "billing", "ml_models", "mlservice", "predictions")
OFTEN = RUNS_BEFORE + 1


class Clock:
    """Stands for the time module as far as statements read it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(prepared, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def nothing_prepared(db: None, settings: Any) -> Iterator[None]:
    settings.DATABASE_PREPARES = True
    forget()
    yield
    forget()


def forget() -> None:
    command("DEALLOCATE ALL")
    prepared._uses.clear()


def command(words: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(words)


def is_prepared(statement: Statement) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE name = %s", [statement.name]
        )
        return bool(cursor.fetchone()[0])


def prepared_at(statement: Statement) -> Any:
    """Return when it was prepared, by the server's clock, and how many generic plans it has had."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prepare_time, generic_plans, custom_plans FROM pg_prepared_statements"
            " WHERE name = %s",
            [statement.name],
        )
        return cursor.fetchone()


def run_often(statement: Statement, *values: Any) -> list[Any]:
    return [statement.run(*values) for _ in range(OFTEN)]


def test_what_is_run_rarely_is_sent_whole(clock: Clock) -> None:
    answers = [ADD.run(1, number) for number in range(RUNS_BEFORE)]

    assert answers == [[(1 + number,)] for number in range(RUNS_BEFORE)]
    assert not is_prepared(ADD)


def test_what_is_run_often_is_prepared_and_says_the_same(clock: Clock) -> None:
    answers = run_often(ADD, 40, 2)

    assert answers == [[(42,)]] * OFTEN
    assert is_prepared(ADD)
    assert ADD.run(-7, 7) == [(0,)]


def test_runs_long_ago_do_not_count(clock: Clock) -> None:
    for _ in range(3 * RUNS_BEFORE):
        ADD.run(1, 1)
        clock.now += PLAN_SECONDS / 2

    assert not is_prepared(ADD)


def test_a_plan_is_made_anew_when_it_is_old(clock: Clock) -> None:
    run_often(ADD, 1, 1)
    first = prepared_at(ADD)[0]

    clock.now += PLAN_SECONDS + 0.1
    ADD.run(1, 1)
    was_let_go = not is_prepared(ADD)
    answers = run_often(ADD, 1, 1)

    assert was_let_go
    assert answers == [[(2,)]] * OFTEN
    assert prepared_at(ADD)[0] > first


def test_a_plan_that_is_not_old_is_kept(clock: Clock) -> None:
    run_often(ADD, 1, 1)
    first = prepared_at(ADD)[0]

    clock.now += PLAN_SECONDS - 0.1
    ADD.run(1, 1)

    assert prepared_at(ADD)[0] == first


def test_lists_of_any_length_share_one_plan(clock: Clock) -> None:
    count = Statement("test_count", ["bigint[]"], "SELECT count(*) FROM unnest($1)")
    for length in range(OFTEN + 10):
        assert count.run(list(range(length))) == [(length,)]

    _, generic, custom = prepared_at(count)
    assert generic >= 10
    assert custom == 0


def test_a_new_connection_prepares_anew(transactional_db: None) -> None:
    run_often(ADD, 1, 1)
    connection.close()

    first_of_all = ADD.run(2, 2)
    is_known = is_prepared(ADD)
    run_often(ADD, 1, 1)

    assert first_of_all == [(4,)]
    assert not is_known
    assert is_prepared(ADD)


def test_a_threads_connection_counts_its_own_runs(transactional_db: None) -> None:
    run_often(ADD, 1, 1)
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append((ADD.run(1, 2), is_prepared(ADD)))
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    assert found == [([(3,)], False)]
    assert is_prepared(ADD)


def test_behind_a_pooler_nothing_is_prepared(settings: Any) -> None:
    settings.DATABASE_PREPARES = False

    answers = [answer for _ in range(3) for answer in run_often(ADD, 1, 1)]

    assert answers == [[(2,)]] * 3 * OFTEN
    assert not is_prepared(ADD)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", None),
        ("text", ""),
        ("text", 'it\'s "100%" of $1, 50%s \\ of %(p1)s'),
        ("text", "Ж\n\t\U0001f48e"),
        ("bigint", 2**63 - 1),
        ("bool", False),
        ("float8", 0.1 + 0.2),
        ("uuid", UUID(int=7)),
        ("bigint[]", []),
        ("bigint[]", [1, None, -3]),
        ("text[]", []),
        ("text[]", ["", "a,b", '{"c"}', "d'e", "100%", "%s", "\\", None]),
        ("float8[]", [None, 1.5]),
        ("bool[]", [True, False]),
        ("uuid[]", []),
        ("uuid[]", [UUID(int=1), UUID(int=2)]),
    ],
)
def test_values_come_through_alike_both_ways(type_: str, value: Any) -> None:
    echo = Statement("test_echo", [type_], "SELECT $1")

    whole, *_, by_plan = run_often(echo, value)

    assert is_prepared(echo)
    assert whole == by_plan == [(value,)]


@pytest.mark.parametrize("texts", [[], ['{"a": "100%\'s"}', "{}", '{"b": [1, null]}']])
def test_a_list_of_json_comes_through_alike_both_ways(texts: list[str]) -> None:
    echo = Statement("test_json", ["jsonb[]"], "SELECT one::text FROM unnest($1) AS one")

    whole, *_, by_plan = run_often(echo, texts)

    assert is_prepared(echo)
    assert whole == by_plan == [(text,) for text in texts]


def test_a_percent_sign_and_a_place_named_twice_are_the_statements_own() -> None:
    like = Statement("test_like", ["text"], "SELECT $1 LIKE '1%', 7 % 4, $1")

    whole, *_, by_plan = run_often(like, "100%")

    assert is_prepared(like)
    assert whole == by_plan == [(True, 3, "100%")]


def test_a_tenth_place_is_not_the_first_with_a_nought() -> None:
    places = ", ".join(f"${number}" for number in range(1, 12))
    many = Statement("test_many", ["int"] * 11, f"SELECT {places}")

    whole, *_, by_plan = run_often(many, *range(11))

    assert whole == by_plan == [tuple(range(11))]


def test_a_statement_without_places_and_one_without_rows(clock: Clock) -> None:
    nothing = Statement("test_nothing", [], "SELECT 1 WHERE false")
    update = Statement(
        "test_update", ["text"], "UPDATE accounts_user SET language = $1 WHERE false"
    )

    assert run_often(nothing) == [[]] * OFTEN
    assert run_often(update, "en") == [[]] * OFTEN
    assert (is_prepared(nothing), is_prepared(update)) == (True, True)


def test_it_outlives_the_transaction_that_is_rolled_back(transactional_db: None) -> None:
    with transaction.atomic():
        run_often(ADD, 1, 1)
        transaction.set_rollback(True)

    assert is_prepared(ADD)
    assert ADD.run(20, 1) == [(21,)]


def test_letting_it_go_is_not_undone_either(transactional_db: None, clock: Clock) -> None:
    run_often(ADD, 1, 1)
    clock.now += PLAN_SECONDS + 0.1
    with transaction.atomic():
        ADD.run(1, 1)
        transaction.set_rollback(True)

    assert not is_prepared(ADD)
    assert run_often(ADD, 1, 1) == [[(2,)]] * OFTEN
    assert is_prepared(ADD)


def test_statements_in_turn_see_what_the_one_before_has_done(transactional_db: None) -> None:
    add = Statement("test_insert", ["text"], "INSERT INTO said SELECT $1 || '100%'")
    read = Statement("test_read", ["bigint"], "SELECT word FROM said LIMIT $1")
    with transaction.atomic():
        command("CREATE TEMPORARY TABLE said (word text) ON COMMIT DROP")
        said = [run_in_turn((add, "a"), (read, number)) for number in range(1, OFTEN + 2)]

        assert said == [[("a100%",)] * number for number in range(1, OFTEN + 2)]
        assert (is_prepared(add), is_prepared(read)) == (True, True)


def test_of_statements_in_turn_none_is_kept_when_one_fails(transactional_db: None) -> None:
    spoil = Statement("test_spoil", ["text"], "UPDATE accounts_user SET language = $1")
    divide = Statement("test_divide_in_turn", ["int"], "SELECT 1 / $1")
    make_user("alice")
    with pytest.raises(DataError, match="division by zero"):
        run_in_turn((spoil, "xx"), (divide, 0))

    assert User.objects.get().language != "xx"


def test_no_two_statements_have_one_name() -> None:
    sources = [path.read_text() for app in APPS for path in (settings.BASE_DIR / app).rglob("*.py")]
    names = [name for text in sources for name in re.findall(r"\bStatement\(\s*\"(\w+)\"", text)]

    assert len(names) > 5
    assert sorted(set(names)) == sorted(names)


def test_an_error_says_the_same_both_ways_and_spoils_nothing(transactional_db: None) -> None:
    divide = Statement("test_divide", ["int", "int"], "SELECT $1 / $2")
    with pytest.raises(DataError, match="division by zero"), transaction.atomic():
        divide.run(1, 0)
    run_often(divide, 4, 2)

    with pytest.raises(DataError, match="division by zero"), transaction.atomic():
        divide.run(1, 0)

    assert is_prepared(divide)
    assert divide.run(4, 2) == [(2,)]
