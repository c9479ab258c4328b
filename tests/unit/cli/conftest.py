"""A furnished cabinet for each test, a terminal on it, and its service; see `tests.building`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.commands import commands
from kiosk.control import ControlServer
from tests.building import House, front, furnished, house
from tests.unit.cli.typing_commands import Terminal

__all__ = ["bare", "cabinet", "front", "furnished", "house", "hq", "service", "terminal"]


@pytest.fixture
def terminal(house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal on a furnished cabinet."""
    return Terminal(house.folder, capsys, monkeypatch)


@pytest.fixture
def bare(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal where there is no cabinet yet."""
    return Terminal(tmp_path / "bare", capsys, monkeypatch)


@pytest.fixture
def cabinet(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal at a new cabinet."""
    made = Terminal(tmp_path / "cabinet", capsys, monkeypatch)
    made.fine("init", "armoire-9")
    return made


@pytest.fixture
def hq(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal at headquarters, which has its key."""
    made = Terminal(tmp_path / "hq", capsys, monkeypatch)
    made.fine("hq", "init")
    return made


@pytest.fixture
def service(house: House) -> Iterator[House]:
    """The furnished cabinet, answering commands."""
    store = house.store
    server = ControlServer(
        house.settings.control, commands(store.register, store.pins, store.imports, store.journal.refold, None)
    )
    server.start()
    yield house
    server.stop()
