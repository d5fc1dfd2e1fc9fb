"""The only place that lets threads, each with its own connection, do something at one moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

Result = TypeVar("Result")

MEET_SECONDS = 30


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
    """Make all calls from threads that start together; give what each returned or raised."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result | Exception:
        try:
            # Connecting takes longer than most races.
            connection.ensure_connection()
            start.wait(MEET_SECONDS)
            return call()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def results(answers: Sequence[Result | Exception]) -> list[Result]:
    """Give what was returned; raise the first thing that was raised."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return [answer for answer in answers if not isinstance(answer, Exception)]


def meeting(count: int) -> Callable[[], object]:
    """Give a call that returns when `count` threads have come to it."""
    barrier = Barrier(count)
    return lambda: barrier.wait(MEET_SECONDS)
