"""One suite for the hooks: on bare pins, and in the simulated cabinet, where keys hang on them."""

import time
from collections.abc import Iterator

import pytest

from kiosk.domain.identifiers import HookId
from kiosk.hardware.door import LockedDoor
from kiosk.hardware.hooks import SwitchedHooks
from kiosk.hardware.pins import pin_factory
from kiosk.hardware.simulated.cabinet import SimulatedCabinet, TagSpec
from kiosk.hardware.wiring import HookPins, Wiring
from kiosk.services.ports import HookChanged, Hooks
from tests.conformance.waiting import Reports, wait_until

FIRST, SECOND, DARK = HookId("01"), HookId("02"), HookId("03")
PINS = {FIRST: HookPins(4, 5), SECOND: HookPins(6, 7), DARK: HookPins(8)}
WIRING = Wiring(lock=17, contact=27, buzzer=22, green=23, red=24, hooks=PINS, readers={})
SETTLE = 0.02


class BarePins:
    """The test is the switch."""

    def __init__(self) -> None:
        self.pins = pin_factory("mock")

    def begin(self) -> None:
        self.hang(FIRST)

    def hang(self, hook: HookId) -> None:
        self.pins.pin(PINS[hook].switch).drive_low()

    def take(self, hook: HookId) -> None:
        self.pins.pin(PINS[hook].switch).drive_high()

    def close(self) -> None:
        self.pins.close()


class InCabinet:
    """A key hangs on the first hook; the door stands open."""

    def __init__(self) -> None:
        key = TagSpec("key", "key", "Clé 1", "04112233445566", "ntag213", FIRST)
        self.cabinet = SimulatedCabinet(WIRING, [key], bytes(16))
        self.pins = self.cabinet.pins
        self.close = self.cabinet.close

    def begin(self) -> None:
        door = LockedDoor(WIRING.lock, WIRING.contact, Reports(), self.pins)
        door.release()
        wait_until(lambda: self.cabinet.look().door_open)
        door.close()

    def hang(self, hook: HookId) -> None:
        self.cabinet.hang("key", hook)

    def take(self, hook: HookId) -> None:
        assert self.cabinet.look().hooks[hook] == "key"
        self.cabinet.take("key")


Hung = tuple[BarePins | InCabinet, SwitchedHooks, Reports]


@pytest.fixture(params=[BarePins, InCabinet])
def hung(request: pytest.FixtureRequest) -> Iterator[Hung]:
    """The first hook is occupied, the others are empty."""
    board: BarePins | InCabinet = request.param()
    reports = Reports()
    hooks = SwitchedHooks(PINS, reports, board.pins, settle=SETTLE)
    board.begin()
    time.sleep(3 * SETTLE)
    reports.all.clear()
    yield board, hooks, reports
    hooks.close()
    board.close()


def test_hooks_fill_the_port(hung: Hung) -> None:
    assert isinstance(hung[1], Hooks)


def test_every_switch_tells_whether_something_hangs_there(hung: Hung) -> None:
    assert hung[1].sensed == {FIRST: True, SECOND: False, DARK: False}


def test_a_key_lifted_off_and_hung_elsewhere_is_reported_in_order(hung: Hung) -> None:
    board, hooks, reports = hung
    board.take(FIRST)
    reports.wait_for(HookChanged(FIRST, False))
    board.hang(DARK)
    reports.wait_for(HookChanged(DARK, True))
    assert reports.all == [HookChanged(FIRST, False), HookChanged(DARK, True)]
    assert hooks.sensed == {FIRST: False, SECOND: False, DARK: True}


def test_a_key_that_swings_is_one_change(hung: Hung) -> None:
    board, _, reports = hung
    for _ in range(5):
        board.take(FIRST)
        board.hang(FIRST)
    board.take(FIRST)
    reports.wait_for(HookChanged(FIRST, False))
    time.sleep(3 * SETTLE)
    assert reports.all == [HookChanged(FIRST, False)]


def test_a_key_that_is_only_touched_is_no_change(hung: Hung) -> None:
    board, _, reports = hung
    board.take(FIRST)
    board.hang(FIRST)
    time.sleep(4 * SETTLE)
    assert reports.all == []


def test_exactly_the_named_hooks_are_lit_and_one_without_a_light_is_passed_over(hung: Hung) -> None:
    board, hooks, _ = hung
    lights = [board.pins.pin(5), board.pins.pin(7)]
    for lit in ({FIRST}, {SECOND, DARK, HookId("17")}, {FIRST, SECOND}, set()):
        hooks.light(frozenset(lit))
        assert [bool(light.state) for light in lights] == [FIRST in lit, SECOND in lit]


def test_closing_puts_the_lights_out_and_reports_nothing_more(hung: Hung) -> None:
    board, hooks, reports = hung
    hooks.light(frozenset({FIRST, SECOND}))
    hooks.close()
    board.take(FIRST)
    time.sleep(3 * SETTLE)
    assert reports.all == []
    assert not any(board.pins.pin(number).state for number in (5, 7))
