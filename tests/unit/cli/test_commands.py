"""What the commands do, and what they say when they cannot."""

import csv
import socket
import stat
import sys
from pathlib import Path

import click
import pytest

from kiosk.bootstrap import initialise, opened_store
from kiosk.clock import SystemClock
from kiosk.config import FILE, read
from kiosk.demo import prepare
from kiosk.domain.identifiers import ItemId
from kiosk.mqtt.client import BrokerAddress
from kiosk.services.front import EnterPin, Step
from tests.building import House
from tests.unit.cli.typing_commands import Terminal

ITEM = "N-1;Clinique Saint-Roch;Bâtiment A;clé mécanique;Cave;Sophie Garnier;2026-01-02"
HEADING = "identifiant;client;site;type;désignation;personne en charge;date de réception"


# ---- a new cabinet


def test_a_cabinet_is_made_once_with_keys_that_only_its_owner_reads(bare: Terminal, tmp_path: Path) -> None:
    said = bare.fine("init", "armoire-9")
    folder = tmp_path / "bare"
    assert "armoire-9" in said
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name, length in (("uid.key", 32), ("badge.key", 16)):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert len((folder / name).read_bytes()) == length
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    refused = bare.refused("init", "armoire-10")
    assert str(folder) in refused
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_everything_in_a_new_cabinet_is_its_owners_alone(bare: Terminal, tmp_path: Path) -> None:
    bare.fine("init", "armoire-9")
    assert open_to_others(tmp_path / "bare") == []


def open_to_others(folder: Path) -> list[str]:
    files = [path for path in folder.iterdir() if path.is_file()]
    assert len(files) > 4
    return [path.name for path in files if stat.S_IMODE(path.stat().st_mode) != 0o600]


@pytest.mark.parametrize("node", ["A", "Armoire 9", 'x"\n[screen]\nport = 1', "a" * 33, "été-1"])
def test_a_name_that_is_no_name_makes_no_cabinet(bare: Terminal, tmp_path: Path, node: str) -> None:
    bare.refused("init", node)
    assert not (tmp_path / "bare" / FILE).exists()
    assert not (tmp_path / "bare" / "cabinet.db").exists()


def test_two_cabinets_have_different_keys_and_streams(tmp_path: Path) -> None:
    for name in ("one", "two"):
        initialise(tmp_path / name, "armoire-9")
    for name in ("uid.key", "badge.key", "cabinet.db"):
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "two" / name).read_bytes()


# ---- what is missing


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("config", "check"),
        ("register", "list"),
        ("register", "export", "-"),
        ("register", "refold"),
        ("people", "list"),
        ("simulate", "look"),
        ("simulate", "tap", "nadia"),
        ("simulate", "day"),
        ("keys", "show"),
        ("keys", "trust", "/dev/null"),
        ("keys", "rotate"),
        ("keys", "retire"),
        ("receipt", "1", "-"),
        ("export", "-"),
        ("hq", "register"),
        ("hq", "subscribe"),
        ("hq", "status"),
        ("hq", "alarm", "close", "1"),
        ("hq", "quarantine", "list"),
        ("hq", "quarantine", "show", "1"),
        ("hq", "quarantine", "release", "1"),
        ("hq", "quarantine", "discard", "1"),
        ("hq", "keys", "show"),
        ("hq", "keys", "current"),
        ("hq", "keys", "rotate"),
        ("hq", "keys", "retire"),
        ("hq", "cabinet", "add", "/dev/null"),
        ("hq", "cabinet", "close", "trousseau/armoire-1/a-journal"),
        ("hq", "receipt", "a:b:1", "-"),
        ("hq", "export", "armoire-1", "-"),
    ],
)
def test_without_a_cabinet_every_command_says_where_and_how_to_make_one(
    bare: Terminal, tmp_path: Path, command: tuple[str, ...]
) -> None:
    said = bare.refused(*command)
    assert str(tmp_path / "bare") in said
    assert "kiosk" in said
    assert "init" in said
    assert not (tmp_path / "bare").exists()


@pytest.mark.parametrize(
    "command", [("register", "refold"), ("simulate", "look"), ("simulate", "tap", "nadia"), ("simulate", "close")]
)
def test_without_the_service_a_command_that_needs_it_says_how_to_start_it(
    terminal: Terminal, command: tuple[str, ...]
) -> None:
    assert "kiosk run" in terminal.refused(*command)


def test_without_the_service_an_import_imports_nothing(terminal: Terminal, house: House, tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text(f"{HEADING}\n{ITEM}\n")
    size = house.size
    assert "kiosk run" in terminal.refused("register", "import", file)
    assert house.size == size


def test_a_second_service_on_the_same_folder_is_refused(terminal: Terminal, house: House) -> None:
    assert str(house.folder) in terminal.refused("run")


def test_a_demonstration_does_not_throw_a_real_cabinet_away(bare: Terminal, tmp_path: Path) -> None:
    initialise(tmp_path / "bare", "armoire-9")
    before = (tmp_path / "bare" / "cabinet.db").read_bytes()
    assert str(tmp_path / "bare") in bare.refused("demo", "--port", "8080")
    assert (tmp_path / "bare" / "cabinet.db").read_bytes() == before


@pytest.fixture
def ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is told to stop as soon as it runs."""
    monkeypatch.setattr(sys.modules["kiosk.cli.main"], "wait_for_end", lambda: None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def a_demonstration(folder: Path, port: int) -> None:
    prepare(folder, port, BrokerAddress("127.0.0.1", free_port(), "5"))


@pytest.mark.usefixtures("ends_at_once")
def test_the_screens_key_is_printed_on_a_terminal_only(
    bare: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_demonstration(tmp_path / "bare", free_port())
    said = bare.fine("run")
    assert (tmp_path / "bare" / "screen.key").read_text() not in said
    assert str(tmp_path / "bare" / "screen.key") in said
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    said = bare.fine("run")
    assert (tmp_path / "bare" / "screen.key").read_text() in said


@pytest.mark.usefixtures("ends_at_once")
def test_everything_of_a_demonstration_is_its_owners_alone(
    bare: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    bare.fine("demo", "--port", str(free_port()))
    assert open_to_others(tmp_path / "bare") == []


def test_a_port_that_is_taken_is_told(bare: Terminal, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        a_demonstration(tmp_path / "bare", port)
        assert str(port) in bare.refused("run")


def test_a_running_demonstration_is_not_deleted(bare: Terminal, tmp_path: Path) -> None:
    a_demonstration(tmp_path / "bare", 8080)
    before = {path.name for path in (tmp_path / "bare").iterdir()}
    with opened_store(read(tmp_path / "bare"), SystemClock()):
        assert str(tmp_path / "bare") in bare.refused("demo", "--port", "8080")
        assert before <= {path.name for path in (tmp_path / "bare").iterdir()}


def test_a_file_that_is_not_there_is_no_traceback(terminal: Terminal) -> None:
    said = terminal.type("register", "import", "/nowhere/items.csv")
    assert said.status == 2
    assert "/nowhere/items.csv" in said.err


def test_a_place_that_cannot_be_written_to_is_no_traceback(terminal: Terminal) -> None:
    said = terminal.type("register", "export", "/proc/nowhere/register.csv")
    assert said.status != 0
    assert "Traceback" not in said.err


# ---- settings


def test_settings_in_force_are_listed_with_passwords_masked(terminal: Terminal, house: House) -> None:
    with (house.folder / FILE).open("a") as file:
        file.write('[headquarters]\ndatabase = "postgresql+psycopg://hq:geheim@127.0.0.1/hq"\n')
    said = terminal.fine("config", "check")
    assert "cabinet.node" in said
    assert "armoire-7" in said
    assert "geheim" not in said


def test_every_fault_of_the_settings_is_told(terminal: Terminal, house: House) -> None:
    (house.folder / FILE).write_text('[cabinet]\nnode = "X"\n[screen]\nprot = 1\nport = "x"\n[brokr]\n')
    said = terminal.refused("config", "check")
    for what in ("cabinet.node", "screen.prot", "port", "screen.port", "brokr", "broker"):
        assert what in said


def test_every_fault_of_the_wiring_is_told(terminal: Terminal, house: House, tmp_path: Path) -> None:
    wires = tmp_path / "pins.toml"
    wires.write_text("lock = 99\ncontact = 14\nbuzzer = 'x'\ngreen = 5\nred = 5\nrde = 1\n[hooks]\n01 = 5\n")
    (house.folder / FILE).write_text(f'[cabinet]\nnode = "armoire-7"\npins_file = "{wires}"\n')
    said = terminal.refused("config", "check")
    for what in ("pins.lock", "pins.contact", "pins.buzzer", "pins.red", "pins.rde", "pins.hooks.01"):
        assert what in said


# ---- people and the register


def test_people_are_listed_with_their_roles(terminal: Terminal) -> None:
    said = terminal.fine("people", "list")
    assert "Nadia Benali" in said
    assert "p001" in said
    assert "role." not in said


def test_the_register_is_listed_with_names(terminal: Terminal, house: House) -> None:
    house.take("nadia", "K-1")
    [line] = [line for line in terminal.fine("register", "list").splitlines() if line.startswith("K-1 ")]
    assert "Chaufferie" in line
    assert "Nadia Benali" in line


def test_the_register_is_exported_to_a_file_and_to_the_terminal(
    terminal: Terminal, house: House, tmp_path: Path
) -> None:
    house.take("nadia", "K-1")
    file = tmp_path / "register.csv"
    terminal.fine("register", "export", file)
    text = file.read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines(), delimiter=";"))
    assert len(rows) == 7
    assert next(iter(rows[0].values())) == "K-1"
    assert "Nadia Benali" in rows[0].values()
    assert terminal.fine("register", "export", "-").lstrip("\ufeff").splitlines() == text.splitlines()
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")


HOSTILE = "[bold red]Zo[/] :smile: =cmd|'x'!A0 <b>& [link=file:///x]"


def test_names_with_markup_are_printed_as_they_are(terminal: Terminal, service: House, tmp_path: Path) -> None:
    people, items = tmp_path / "people.csv", tmp_path / "items.csv"
    people.write_text(f"nom;rôles\n{HOSTILE};technicien\n")
    items.write_text(f"{HEADING}\nN-1;{HOSTILE};{HOSTILE};badge;{HOSTILE};{HOSTILE};2026-01-02\n")
    terminal.fine("people", "import", people)
    terminal.fine("register", "import", items)
    assert HOSTILE in terminal.fine("people", "list")
    assert HOSTILE in terminal.fine("register", "list")
    assert HOSTILE in terminal.fine("register", "export", "-")


def test_a_good_import_is_counted_and_a_bad_one_listed_by_line(
    terminal: Terminal, service: House, tmp_path: Path
) -> None:
    file = tmp_path / "items.csv"
    file.write_text(f"{HEADING}\n{ITEM}\n")
    assert "1" in terminal.fine("register", "import", file)
    assert service.item("N-1").received == "2026-01-02"
    file.write_text(f"{HEADING}\n{ITEM}\n;x;y;trousseau;;Nobody;hier\n")
    size = service.size
    said = terminal.refused("register", "import", file)
    assert service.size == size
    for what in ("2", "3", "N-1", "trousseau", "Nobody", "hier"):
        assert what in said


def test_a_pin_is_asked_for_twice_and_lifts_a_lock_out(
    terminal: Terminal, service: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["13579", "13579"])
    monkeypatch.setattr(click.termui, "hidden_prompt_func", lambda _: next(typed))
    terminal.fine("people", "pin", "thomas lefevre")
    service.badge("thomas")
    service.press(EnterPin("13579"))
    assert service.at(Step.OPEN)


def test_a_pin_for_nobody_and_a_pin_that_is_none_are_refused(
    terminal: Terminal, service: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click.termui, "hidden_prompt_func", lambda _: "12")
    assert "4" in terminal.refused("people", "pin", "Thomas Lefèvre")
    assert "Nemo" in terminal.refused("people", "pin", "Nemo")


def test_a_refold_through_the_service_is_counted(terminal: Terminal, service: House) -> None:
    assert str(service.size) in terminal.fine("register", "refold")
    assert service.store.register.item(ItemId("K-1")) is not None


def test_hands_are_only_there_where_the_cabinet_is_simulated(terminal: Terminal, service: House) -> None:
    said = terminal.type("simulate", "tap", "nadia")
    assert said.status == 1
    assert "Traceback" not in said.err


def test_headquarters_register_is_empty_before_anything_has_come(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "central.csv"
    terminal.fine("hq", "register", "--csv", file)
    assert len(file.read_text(encoding="utf-8-sig").splitlines()) == 1
    assert "K-1" not in terminal.fine("hq", "register")
