import threading
import time
from collections.abc import Callable, Iterator

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from kiosk.hardware.pins import pin_factory
from kiosk.hardware.signals import ACCEPTED, ERROR, REFUSED, SEEN, FrontSignals
from kiosk.services.ports import Signals

GREEN, RED, BUZZER = 23, 24, 22


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    factory = pin_factory("mock")
    yield factory
    factory.close()


@pytest.fixture
def front(pins: MockFactory) -> Iterator[FrontSignals]:
    signals = FrontSignals(GREEN, RED, BUZZER, pins)
    yield signals
    signals.close()


def pulses(pin: MockPin) -> int:
    return sum(state.state for state in list(pin.states))


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_the_front_fills_the_port(front: FrontSignals) -> None:
    assert isinstance(front, Signals)


def test_no_two_signals_look_or_sound_alike() -> None:
    patterns = (SEEN, ACCEPTED, REFUSED, ERROR)
    assert len({pattern.buzzer for pattern in patterns}) == 4
    assert len({(pattern.green, pattern.red) for pattern in patterns}) == 4


def test_seen_is_a_tick(front: FrontSignals, pins: MockFactory) -> None:
    front.seen()
    assert eventually(lambda: pulses(pins.pin(BUZZER)) == 1 and not pins.pin(BUZZER).state)
    assert pulses(pins.pin(RED)) == 0


def test_accepted_is_two_beeps_and_green(front: FrontSignals, pins: MockFactory) -> None:
    front.accepted()
    assert eventually(lambda: pulses(pins.pin(BUZZER)) == 2)
    assert pins.pin(GREEN).state
    assert pulses(pins.pin(RED)) == 0


@pytest.mark.parametrize("signal", [FrontSignals.refused, FrontSignals.error])
def test_a_no_is_red_and_never_green(
    front: FrontSignals, pins: MockFactory, signal: Callable[[FrontSignals], None]
) -> None:
    front.accepted()
    signal(front)
    assert eventually(lambda: pulses(pins.pin(RED)) > 0)
    assert not pins.pin(GREEN).state


def test_signals_do_not_block_and_may_come_from_two_threads(front: FrontSignals) -> None:
    began = time.monotonic()
    threads = [threading.Thread(target=give) for give in (front.seen, front.accepted, front.refused, front.error) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 2


def test_a_closed_front_is_dark_and_passes_over_a_late_signal(pins: MockFactory) -> None:
    front = FrontSignals(GREEN, RED, BUZZER, pins)
    front.error()
    front.close()
    front.seen()
    assert not any(pins.pin(number).state for number in (GREEN, RED, BUZZER))
