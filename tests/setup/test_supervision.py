"""What the keeper is told about each process."""

import configparser
import shlex
from pathlib import Path

import pytest

from mlservice.embedded import supervisor
from mlservice.embedded.home import Home


def configured(folder: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(supervisor.configuration(Home(folder, folder / "sockets")))
    return parser


def test_every_process_is_started_again_when_it_dies(tmp_path: Path) -> None:
    found = configured(tmp_path)

    programs = [name for name in found.sections() if name.startswith("program:")]
    ours = {"web", "relay", "worker", "duties", "beat"}
    assert {f"program:{name}" for name in ours} <= set(programs)
    assert {found[name]["autorestart"] for name in programs} == {"true"}


def test_servers_that_were_named_are_not_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/db")
    monkeypatch.setenv("BROKER_URL", "amqp://elsewhere")

    assert supervisor.servers(Home(tmp_path, tmp_path / "sockets")) == []


def test_servers_that_nobody_named_are_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)

    found = supervisor.servers(Home(tmp_path, tmp_path / "sockets"))

    assert [program.name for program in found] == ["postgres", "valkey"]


def test_a_path_with_spaces_and_percent_signs_stays_one_word(tmp_path: Path) -> None:
    folder = tmp_path / "100 % дома"

    command = configured(folder)["program:beat"]["command"]

    words = shlex.split(command.replace("%%", "%"))
    assert str(folder / "beat-schedule") in words


def test_each_queue_is_consumed_and_duties_by_a_node_of_their_own(tmp_path: Path) -> None:
    found = configured(tmp_path)

    consumed = {
        name: shlex.split(found[f"program:{name}"]["command"].replace("%%", "%"))
        for name in ("worker", "duties")
    }

    assert "predictions,bulk" in consumed["worker"]
    assert "duties" in consumed["duties"]
    assert "duties@%h" in consumed["duties"]


def test_a_longer_prediction_gives_the_worker_a_longer_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTION_TIME_LIMIT_SECONDS", "120")

    assert int(configured(tmp_path)["program:worker"]["stopwaitsecs"]) > 120


def test_the_worker_may_finish_a_prediction_before_it_is_ended(tmp_path: Path) -> None:
    assert int(configured(tmp_path)["program:worker"]["stopwaitsecs"]) > 30


def test_each_role_shows_its_figures_on_a_port_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_PORT", "9100")

    found = configured(tmp_path)

    ports = {
        role: found[f"program:{role}"]["environment"] for role in ("relay", "worker", "duties")
    }
    assert ports == {
        "relay": 'METRICS_PORT="9100"',
        "worker": 'METRICS_PORT="9101"',
        "duties": 'METRICS_PORT="9102"',
    }


def test_no_port_is_given_where_none_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("METRICS_PORT", raising=False)

    found = configured(tmp_path)

    assert not [name for name in found.sections() if "environment" in found[name]]
