"""Where a checkout's own servers live, and who may reach them."""

import os
import threading
from pathlib import Path

import pytest

from mlservice.embedded import home as homes
from mlservice.embedded.home import Home, UnsafeFolderError, checkout_home, make_private_folder


@pytest.fixture
def as_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)


@pytest.mark.usefixtures("as_ordinary_user")
@pytest.mark.parametrize("name", ["a" * 200, "с пробелом и кириллицей", "a,b"])
def test_the_sockets_of_an_awkward_checkout_stand_on_a_short_plain_path(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "CHECKOUT", Path("/srv") / name)

    sockets = checkout_home().sockets

    assert len(os.fsencode(sockets)) < 60
    assert str(sockets).isascii()
    assert sockets.parent == Path("/tmp")


@pytest.mark.usefixtures("as_ordinary_user")
def test_a_plain_checkout_keeps_everything_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "CHECKOUT", Path("/srv/ml"))

    home = checkout_home()

    assert home == Home(Path("/srv/ml/.local"), Path("/srv/ml/.local/sockets"))


@pytest.mark.usefixtures("as_ordinary_user")
def test_two_checkouts_share_no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for name in ("один", "два"):
        monkeypatch.setattr(homes, "CHECKOUT", Path("/srv") / name)
        found.add(checkout_home().sockets)

    assert len(found) == 2


def test_a_root_keeps_nothing_inside_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert checkout_home().folder.parent == Path("/var/lib")


def test_a_password_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "state", tmp_path / "sockets")

    first, second = home.password("role"), home.password("role")

    kept = home.folder / "role.password"
    assert first == second == kept.read_text()
    assert len(first) >= 32
    assert kept.stat().st_mode & 0o777 == 0o600
    assert home.folder.stat().st_mode & 0o777 == 0o700


def test_processes_that_ask_at_once_get_the_same_password(tmp_path: Path) -> None:
    home = Home(tmp_path / "state", tmp_path / "sockets")
    found: list[str] = []
    asking = [threading.Thread(target=lambda: found.append(home.password("role"))) for _ in "12345"]

    for each in asking:
        each.start()
    for each in asking:
        each.join()

    assert len(found) == 5
    assert len(set(found)) == 1


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(UnsafeFolderError, match="belongs to another user"):
        make_private_folder(tmp_path)


def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")

    with pytest.raises(UnsafeFolderError):
        make_private_folder(link)
