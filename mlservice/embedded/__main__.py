"""The command line of a checkout's servers and processes: `python -m mlservice.embedded`."""

import argparse
import os
import shlex
import socket
import sys
import time
import urllib.error
import urllib.request

from mlservice.embedded import environment, keeper, postgres
from mlservice.embedded.account import ServerError
from mlservice.embedded.home import CHECKOUT, UnsafeFolderError, checkout_home

READY_SECONDS = 90


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mlservice.embedded", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    chosen = parser.parse_args().command
    try:
        COMMANDS[chosen]()
    except (ServerError, UnsafeFolderError) as failure:
        sys.exit(f"{failure}\nThe logs are in {checkout_home().logs}.")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def start_servers() -> None:
    keeper.start_servers(checkout_home())


def start() -> None:
    """Start web, relay, worker and beat; return when the web answers that it is ready."""
    home = checkout_home()
    if "web" not in keeper.running(home):
        refuse_taken_port(environment.port())
    keeper.start_processes(home)
    keeper.remember_port(home, environment.port())
    wait_until_ready(environment.port())
    keeper.wait_until_all_run(home)


def stop() -> None:
    keeper.stop(checkout_home())
    say("Stopped.")


def status() -> None:
    """Print the state of each process; exit 1 unless all of them run."""
    home = checkout_home()
    found = keeper.statuses(home)
    for name, state in found.items():
        say(f"{name:<10}{state.lower()}")
    say(f"logs      {home.logs}")
    if not found:
        sys.exit("Nothing runs here; ./init.sh starts it.")
    if set(found.values()) != {"RUNNING"}:
        sys.exit(1)
    say(f"address   http://127.0.0.1:{keeper.remembered_port(home)}/")


def print_summary() -> None:
    """Print where the service is and, in demo mode, who may sign in."""
    say(f"\nML Service is ready at http://127.0.0.1:{environment.port()}/")
    if environment.is_demo():
        say(f"  operator  demo-admin   {os.environ.get('DEMO_ADMIN_PASSWORD', '')}")
        say(f"  client    demo-client  {os.environ.get('DEMO_CLIENT_PASSWORD', '')}")


def print_variables() -> None:
    """Print, for a shell to take over, what PostgreSQL's tools need to know of this checkout."""
    home = checkout_home()
    owner = os.environ.get("MIGRATION_DATABASE_URL") or home.owner_url()
    store = os.environ.get("MODEL_STORE_DIR") or CHECKOUT / ".dvc" / "cache"
    say(f"export MIGRATION_DATABASE_URL={shlex.quote(owner)}")
    say(f"export MODEL_STORE_DIR={shlex.quote(str(store))}")
    say(f"export PATH={shlex.quote(str(postgres.tools()))}:$PATH")


def answer_is_demo() -> None:
    sys.exit(0 if environment.is_demo() else 1)


def refuse_taken_port(port: int) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as refusal:
            reason = refusal.strerror
            raise ServerError(
                f"Port {port}: {reason}. Choose another: PORT=8001 ./init.sh"
            ) from None


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(port):
        if time.monotonic() > deadline:
            raise ServerError(f"The web process was not ready in {READY_SECONDS} s.")
        time.sleep(0.1)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


COMMANDS = {
    "start-servers": start_servers,
    "start": start,
    "stop": stop,
    "status": status,
    "is-demo": answer_is_demo,
    "summary": print_summary,
    "variables": print_variables,
}

if __name__ == "__main__":
    environment.load()
    main()
