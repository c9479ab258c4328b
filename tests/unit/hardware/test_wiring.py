from pathlib import Path

import pytest

from kiosk.domain.errors import BadSettings
from kiosk.domain.identifiers import HookId
from kiosk.hardware.wiring import UART_PINS, Fault, HookPins, ReaderWiring, load_wiring

SHIPPED = Path(__file__).parents[3] / "firmware_config"
FRONT = "lock = 17\ncontact = 27\nbuzzer = 22\ngreen = 23\nred = 24\n"
READERS = '[desk]\npath = "udp:127.0.0.1:54321"\n'


def faults_of(folder: Path, pins: str, readers: str = READERS) -> list[Fault]:
    (folder / "pins.toml").write_text(pins)
    (folder / "readers.toml").write_text(readers)
    with pytest.raises(BadSettings) as refused:
        load_wiring(folder / "pins.toml", folder / "readers.toml")
    faults = refused.value.values["faults"]
    assert isinstance(faults, list)
    return faults


def test_the_shipped_files_wire_ten_hooks_and_a_reader_and_leave_the_uart_alone() -> None:
    wiring = load_wiring(SHIPPED / "pins.toml", SHIPPED / "readers.toml")
    assert list(wiring.hooks) == [f"{number:02}" for number in range(1, 11)]
    assert wiring.readers == {"desk": ReaderWiring("tty:ttynfcdesk:pn532", 18)}
    used = {pin for hook in wiring.hooks.values() for pin in (hook.switch, hook.led)}
    assert UART_PINS.isdisjoint(used)


def test_a_hook_may_do_without_a_light_and_a_cabinet_without_wired_hooks(tmp_path: Path) -> None:
    (tmp_path / "readers.toml").write_text(READERS)
    (tmp_path / "pins.toml").write_text(FRONT + "[hooks.A7]\nswitch = 4\n")
    assert load_wiring(tmp_path / "pins.toml", tmp_path / "readers.toml").hooks == {HookId("A7"): HookPins(4)}
    (tmp_path / "pins.toml").write_text(FRONT)
    assert load_wiring(tmp_path / "pins.toml", tmp_path / "readers.toml").hooks == {}


def test_every_fault_of_both_files_is_reported_at_once(tmp_path: Path) -> None:
    pins = 'lock = 17\ncontact = 28\nbuzzer = 14\ngreen = "23"\nredd = 24\n'
    pins += "[hooks.01]\nswitch = 17\nled = true\n[hooks.02]\nled = 5\n"
    readers = '[desk]\npth = "udp::1"\nreset = 5\n[back]\npath = 7\n'
    assert faults_of(tmp_path, pins, readers) == [
        Fault("unknown_key", "pins.redd", "red"),
        Fault("out_of_range", "pins.contact", "28"),
        Fault("uart_pin", "pins.buzzer", "14"),
        Fault("not_a_pin", "pins.green", "23"),
        Fault("missing", "pins.red", ""),
        Fault("duplicate_pin", "pins.hooks.01.switch", "17 pins.lock"),
        Fault("not_a_pin", "pins.hooks.01.led", "True"),
        Fault("missing", "pins.hooks.02.switch", ""),
        Fault("unknown_key", "readers.desk.pth", "path"),
        Fault("missing", "readers.desk.path", ""),
        Fault("duplicate_pin", "readers.desk.reset", "5 pins.hooks.02.led"),
        Fault("not_a_path", "readers.back.path", "7"),
    ]


def test_a_key_that_resembles_none_gets_the_list_of_those_that_there_are(tmp_path: Path) -> None:
    assert faults_of(tmp_path, FRONT + "zzz = 1\n") == [
        Fault("unknown_key_among", "pins.zzz", "lock, contact, buzzer, green, red, hooks")
    ]


def test_what_should_be_a_table_and_is_none_is_said(tmp_path: Path) -> None:
    assert faults_of(tmp_path, FRONT + "hooks = 3\n", "desk = 1\n") == [
        Fault("not_a_table", "pins.hooks", "3"),
        Fault("not_a_table", "readers.desk", "1"),
    ]
    assert faults_of(tmp_path, FRONT + "[hooks]\n01 = 4\n") == [Fault("not_a_table", "pins.hooks.01", "4")]


def test_a_file_that_cannot_be_read_does_not_hide_the_faults_of_the_other(tmp_path: Path) -> None:
    (tmp_path / "readers.toml").write_text("[desk]\n")
    with pytest.raises(BadSettings) as refused:
        load_wiring(tmp_path / "absent.toml", tmp_path / "readers.toml")
    assert refused.value.values["faults"] == [
        Fault("unreadable", "pins", "No such file or directory"),
        Fault("missing", "readers.desk.path", ""),
    ]


def test_a_file_that_is_no_toml_is_said_with_the_place(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, "lock 17\n")
    assert fault.code == "not_toml"
    assert "line 1" in fault.detail
