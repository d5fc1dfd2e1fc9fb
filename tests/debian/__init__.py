"""Debian's own PostgreSQL and RabbitMQ, private to a test run."""

from pathlib import Path

from tests.debian.postgres import Postgres
from tests.debian.rabbitmq import INSTALLED, RabbitMQ


def is_rabbitmq_installed() -> bool:
    return (INSTALLED / "rabbitmq-server").exists()


def start_postgres(folder: Path) -> str:
    """Start a private PostgreSQL under the folder; return its superuser's address."""
    server = Postgres.made_in(folder)
    server.start()
    return server.address


def start_rabbitmq(folder: Path) -> str:
    """Start a private RabbitMQ under the folder; return its address."""
    broker = RabbitMQ.made_in(folder)
    broker.start()
    return broker.address
