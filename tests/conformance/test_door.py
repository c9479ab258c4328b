"""One suite for the door: on bare pins, where the test is the wire, and in the simulated cabinet, where a bolt and a spring are."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from gpiozero.pins.mock import MockFactory

from kiosk.hardware.door import LockedDoor
from kiosk.hardware.pins import pin_factory
from kiosk.hardware.simulated.cabinet import SimulatedCabinet
from kiosk.hardware.wiring import Wiring
from kiosk.services.ports import Door, DoorChanged
from tests.conformance.waiting import Reports, wait_until

LOCK, CONTACT = 17, 27
WIRING = Wiring(lock=LOCK, contact=CONTACT, buzzer=22, green=23, red=24, hooks={}, readers={})
PULSE, SETTLE = 0.1, 0.02


class Frame(Protocol):
    """What the door hangs in."""

    pins: MockFactory

    def push_shut(self) -> None: ...


class BarePins:
    """The door springs open when the test sees the pulse."""

    def __init__(self) -> None:
        self.pins = pin_factory("mock")
        self.push_shut()

    def push_shut(self) -> None:
        self.pins.pin(CONTACT).drive_low()

    def spring_open(self) -> None:
        wait_until(lambda: bool(self.pins.pin(LOCK).state))
        self.pins.pin(CONTACT).drive_high()

    def close(self) -> None:
        self.pins.close()


class InCabinet:
    """The simulated cabinet does it all by itself."""

    def __init__(self) -> None:
        self.cabinet = SimulatedCabinet(WIRING, [], bytes(16))
        self.pins = self.cabinet.pins
        self.push_shut = self.cabinet.close_door
        self.close = self.cabinet.close

    def spring_open(self) -> None:
        wait_until(lambda: self.cabinet.look().door_open)


Hung = tuple[BarePins | InCabinet, LockedDoor, Reports]


@pytest.fixture(params=[BarePins, InCabinet])
def hung(request: pytest.FixtureRequest) -> Iterator[Hung]:
    frame: BarePins | InCabinet = request.param()
    reports = Reports()
    door = LockedDoor(LOCK, CONTACT, reports, frame.pins, pulse=PULSE, settle=SETTLE)
    # On bare pins nothing holds the contact down against the pull-up that the door has just switched on.
    frame.push_shut()
    wait_until(lambda: not door.is_open)
    time.sleep(3 * SETTLE)
    reports.all.clear()
    yield frame, door, reports
    door.close()
    frame.close()


def states(frame: BarePins | InCabinet) -> list[bool]:
    return [state.state for state in list(frame.pins.pin(LOCK).states)]


def test_a_door_fills_the_port(hung: Hung) -> None:
    assert isinstance(hung[1], Door)


def test_a_door_is_shut_and_locked_until_it_is_released(hung: Hung) -> None:
    frame, door, reports = hung
    time.sleep(PULSE)
    assert not door.is_open
    assert states(frame) == [False]
    assert reports.all == []


def test_a_release_is_one_pulse_that_blocks_nobody(hung: Hung) -> None:
    frame, door, _ = hung
    began = time.monotonic()
    door.release()
    assert time.monotonic() - began < PULSE
    wait_until(lambda: states(frame) == [False, True, False])
    assert frame.pins.pin(LOCK).states[-1].timestamp >= PULSE


def test_a_released_door_springs_open_and_says_so_once(hung: Hung) -> None:
    frame, door, reports = hung
    door.release()
    frame.spring_open()
    reports.wait_for(DoorChanged(True))
    assert door.is_open
    time.sleep(3 * SETTLE)
    assert reports.all == [DoorChanged(True)]


def test_a_door_pushed_shut_says_so_once(hung: Hung) -> None:
    frame, door, reports = hung
    door.release()
    frame.spring_open()
    reports.wait_for(DoorChanged(True))
    frame.push_shut()
    reports.wait_for(DoorChanged(False))
    assert not door.is_open
    assert reports.all == [DoorChanged(True), DoorChanged(False)]


def test_a_contact_that_bounces_is_one_change(hung: Hung) -> None:
    frame, _, reports = hung
    contact = frame.pins.pin(CONTACT)
    moves: list[Callable[[], None]] = [contact.drive_high, contact.drive_low] * 5 + [contact.drive_high]
    for move in moves:
        move()
    reports.wait_for(DoorChanged(True))
    time.sleep(3 * SETTLE)
    assert reports.all == [DoorChanged(True)]


def test_a_contact_that_trembles_and_rests_where_it_was_is_no_change(hung: Hung) -> None:
    frame, _, reports = hung
    frame.pins.pin(CONTACT).drive_high()
    frame.pins.pin(CONTACT).drive_low()
    time.sleep(4 * SETTLE)
    assert reports.all == []


def test_a_second_release_during_the_pulse_makes_it_longer_and_leaves_the_lock_shut_in_the_end(hung: Hung) -> None:
    frame, door, _ = hung
    door.release()
    wait_until(lambda: bool(frame.pins.pin(LOCK).state))
    door.release()
    wait_until(lambda: not frame.pins.pin(LOCK).state)


def test_a_door_that_is_closed_down_in_the_middle_of_a_pulse_is_locked(hung: Hung) -> None:
    frame, door, _ = hung
    door.release()
    wait_until(lambda: bool(frame.pins.pin(LOCK).state))
    door.close()
    assert not frame.pins.pin(LOCK).state


def test_a_cut_wire_looks_like_an_open_door(hung: Hung) -> None:
    frame, door, reports = hung
    frame.pins.pin(CONTACT).drive_high()
    reports.wait_for(DoorChanged(True))
    assert door.is_open
