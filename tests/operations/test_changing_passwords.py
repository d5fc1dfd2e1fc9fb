"""Passwords of database and broker are changed as the manual says, with no moment without one."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import psycopg2
import pytest
from amqp.exceptions import AccessRefused

from tests.debian import is_rabbitmq_installed
from tests.debian.rabbitmq import INSTALLED, RabbitMQ
from tests.e2e.environment import PLAIN
from tests.exits import remove_in_the_end
from tests.operations.machine import Machine
from tests.operations.manual import commands, run

pytestmark = pytest.mark.seldom

PASSWORD = "a-new-password-of-letters-only"


@pytest.fixture
def folder() -> Path:
    # Sockets need a short path, and the database's account must pass through.
    made = Path(tempfile.mkdtemp(prefix="mlservice-passwords-", dir="/tmp"))
    remove_in_the_end(made)
    made.chmod(0o711)
    return made


@pytest.fixture
def database(folder: Path) -> Iterator[dict[str, str]]:
    """What a service is told of a PostgreSQL of its own, with its tables made."""
    machine = Machine(folder / "machine")
    machine.start_database()
    env = PLAIN | machine.environment | {"BROKER_URL": "memory://", "NEW_PASSWORD": PASSWORD}
    run(".venv/bin/python manage.py prepare_database --verbosity 0", env)
    yield env
    machine.lose()


def new_address(address: str) -> str:
    parts = urlsplit(address)
    return f"postgresql://mlservice_app_2:{PASSWORD}@{parts.path}?{parts.query}"


def may(address: str, statement: str) -> bool:
    """Say whether the role of an address may run the statement; it is undone."""
    connection = psycopg2.connect(address)
    try:
        connection.cursor().execute(statement)
    except psycopg2.errors.InsufficientPrivilege:
        return False
    finally:
        connection.close()
    return True


def test_a_second_role_takes_over_from_the_first(database: dict[str, str]) -> None:
    old, new = database["DATABASE_URL"], new_address(database["DATABASE_URL"])
    env = database | {"NEW_DATABASE_URL": new}

    run(commands("Add a role to the database"), env)
    meanwhile = [may(address, "SELECT FROM billing_wallet") for address in (old, new)]
    changing = [may(address, "DELETE FROM billing_ledgerentry") for address in (old, new)]
    run(commands("Remove the first role"), env)

    assert meanwhile == [True, True]
    assert changing == [False, False]
    assert may(new, "INSERT INTO accounts_user SELECT * FROM accounts_user")
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        psycopg2.connect(old)
    said = run(".venv/bin/python manage.py verify_restore", env | {"DATABASE_URL": new})
    assert "ok     rights of the application's role" in said


@pytest.mark.skipif(not is_rabbitmq_installed(), reason="RabbitMQ is not installed")
def test_a_second_user_takes_over_from_the_first(folder: Path) -> None:
    broker = RabbitMQ.made_in(folder)
    broker.start()
    path = f"{INSTALLED}:{os.environ['PATH']}"
    env = broker.environment | {"PATH": path, "NEW_PASSWORD": PASSWORD}
    run("rabbitmqctl --quiet add_user mlservice the-old-one", env)
    run("rabbitmqctl --quiet set_permissions --vhost / mlservice '.*' '.*' '.*'", env)

    run(commands("Add a user to the broker"), env)
    meanwhile = [can_publish(broker, "mlservice", "the-old-one"), can_publish(broker)]
    run(commands("Remove the first user"), env)
    afterwards = [can_publish(broker, "mlservice", "the-old-one"), can_publish(broker)]
    broker.put_away()

    assert (meanwhile, afterwards) == ([True, True], [False, True])


def can_publish(broker: RabbitMQ, user: str = "mlservice_2", password: str = PASSWORD) -> bool:
    address = f"amqp://{user}:{password}@127.0.0.1:{broker.port}//"
    with kombu.Connection(address, connect_timeout=5) as connection:
        try:
            queue = connection.SimpleQueue("of-everybody")
        except AccessRefused:
            return False
        queue.put("a message")
        queue.close()
    return True
