"""Goal: threads have one connection to the database after each other, and none keeps a dead one.

Method: a connection is told by the number of the server's process that answers it.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from mlservice.lib.shared_connection import SharedConnection
from tests.conftest import make_user


@pytest.fixture
def shared(transactional_db: None) -> Iterator[SharedConnection]:
    shared = SharedConnection()
    yield shared
    shared.close()


def server() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def server_of(shared: SharedConnection) -> int:
    with shared.lent():
        return server()


def end(process: int) -> None:
    """End a server process as an operator or a restart does, and wait until it is gone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        assert cursor.fetchone() == (True,)


def in_a_thread(call: Callable[[], Any]) -> Any:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def statements(ask: Callable[[], Any]) -> list[str]:
    asked: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        ask()
    return asked


def test_threads_have_the_same_one_and_their_own_again_after(shared: SharedConnection) -> None:
    own, ours = server(), server_of(shared)
    theirs = in_a_thread(lambda: (server_of(shared), server()))

    assert theirs[0] == ours
    assert len({own, ours, theirs[1]}) == 3
    assert server() == own


def test_what_goes_wrong_leaves_each_thread_its_own(shared: SharedConnection) -> None:
    own = server()

    def go_wrong() -> None:
        with shared.lent(), transaction.atomic():
            make_user("alice")
            raise LookupError

    with pytest.raises(LookupError):
        go_wrong()

    assert server() == own
    assert in_a_thread(lambda: server_of(shared)) == server_of(shared)
    make_user("alice")


def test_a_connection_that_was_ended_while_nobody_had_it_is_opened_anew(
    shared: SharedConnection,
) -> None:
    first = server_of(shared)
    end(first)

    assert server_of(shared) not in (first, server())


def test_one_that_was_ended_in_use_is_opened_anew_for_the_next(shared: SharedConnection) -> None:
    first = server_of(shared)

    def ask_in_vain() -> None:
        with shared.lent():
            in_a_thread(lambda: end(first))
            server()

    with pytest.raises(OperationalError):
        ask_in_vain()

    assert in_a_thread(lambda: server_of(shared)) != first


def test_one_that_its_user_closed_is_opened_anew(shared: SharedConnection) -> None:
    first = server_of(shared)
    with shared.lent():
        connection.connection.close()

    assert server_of(shared) != first


def test_a_server_that_says_something_unasked_keeps_its_connection(
    shared: SharedConnection,
) -> None:
    with shared.lent(), connection.cursor() as cursor:
        first = server()
        cursor.execute("LISTEN something")
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY something")

    assert [server_of(shared) for _ in range(2)] == [first, first]


def test_the_server_is_not_asked_whether_it_is_there(shared: SharedConnection) -> None:
    server_of(shared)

    def ask() -> None:
        with shared.lent():
            asked.extend(statements(server))

    asked: list[str] = []
    ask()

    assert asked == ["SELECT pg_backend_pid()"]


def test_it_is_opened_anew_when_it_is_old(shared: SharedConnection, settings: Any) -> None:
    first = server_of(shared)
    shared.connection.close_at = 0

    assert server_of(shared) != first


def test_it_can_be_closed_before_anybody_had_it() -> None:
    SharedConnection().close()
