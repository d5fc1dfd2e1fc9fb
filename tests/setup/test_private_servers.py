"""The servers of a checkout: reached by password and socket, made once, whole or not at all."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2
import pytest

from mlservice.embedded import __main__ as command_line
from mlservice.embedded import postgres, valkey
from mlservice.embedded.account import ServerError
from mlservice.embedded.home import Home
from tests.exits import at_exit
from tests.servers import start_postgres, start_valkey


@pytest.fixture(scope="module")
def home() -> Home:
    # pytest's own folders may lie too deep for a socket's path.
    folder = Path(tempfile.mkdtemp(prefix="mlservice-tests-", dir="/tmp"))
    folder.chmod(0o711)
    # Removed after the servers have ended, which happens when the run does.
    at_exit(lambda: shutil.rmtree(folder, ignore_errors=True))
    return Home(folder / "state", folder / "state" / "sockets")


@pytest.fixture(scope="module")
def server(home: Home) -> Home:
    start_postgres(home)
    return home


def test_a_shell_is_told_how_the_owner_reaches_them(
    server: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MIGRATION_DATABASE_URL", raising=False)
    monkeypatch.setattr(command_line, "checkout_home", lambda: server)

    command_line.print_variables()

    asking = 'psql --no-align --tuples-only --command="SELECT user" "$MIGRATION_DATABASE_URL"'
    script = f"{capsys.readouterr().out}\n{asking}"
    said = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    assert said.stdout == "mlservice_owner\n"


def test_the_applications_role_owns_nothing_and_commands_nothing(server: Home) -> None:
    with psycopg2.connect(server.database_url()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )

        assert cursor.fetchone() == (False, False, False)


def test_a_wrong_password_is_refused(server: Home) -> None:
    wrong = server.owner_url().replace(server.password("mlservice_owner"), "wrong")

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(wrong)


def test_postgres_listens_on_no_port(server: Home) -> None:
    with psycopg2.connect(server.owner_url()) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW listen_addresses")

        assert cursor.fetchone() == ("",)


def test_every_way_in_asks_for_a_password(server: Home) -> None:
    with psycopg2.connect(server.owner_url()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules")

        assert cursor.fetchall() == [("scram-sha-256",)]


def test_preparing_again_changes_nothing(server: Home) -> None:
    before = (server.cluster / "global" / "pg_control").stat().st_ino

    postgres.prepare(server)

    assert (server.cluster / "global" / "pg_control").stat().st_ino == before


def test_a_cluster_of_another_major_version_is_named(server: Home) -> None:
    mark = server.cluster / "PG_VERSION"
    kept = mark.read_text()
    mark.write_text("14\n")

    try:
        with pytest.raises(ServerError, match="was made by PostgreSQL 14"):
            postgres.prepare(server)
    finally:
        mark.write_text(kept)


def test_a_half_made_cluster_is_begun_anew(home: Home) -> None:
    other = Home(home.folder.parent / "second", home.folder.parent / "second" / "sockets")
    draft = other.folder / "postgres.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")

    postgres.prepare(other)

    assert (other.cluster / "global" / "pg_control").exists()
    assert not draft.exists()


def test_valkey_answers_on_its_socket_only(home: Home) -> None:
    address = start_valkey(home)

    command = valkey.command(home)
    assert address == f"redis+socket://{home.broker_socket}"
    assert home.broker_socket.stat().st_mode & 0o777 == 0o700
    assert command[command.index("--port") + 1] == "0"
