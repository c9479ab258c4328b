"""PINs at the cabinet: asked for where a badge proves too little, and locked after five wrong ones."""

from datetime import timedelta

import pytest

from kiosk.domain.errors import BadPin, NotNow, PinLocked, WrongPin
from kiosk.domain.identifiers import PersonId, Timestamp
from kiosk.services.front import EnterPin, Step
from kiosk.services.pins import PinService
from kiosk.services.ports import Pins, PinState
from tests.building import PIN, House

WRONG = "9999"
NEW = "13579"


class Overtaken:
    """The real PINs, of which an administrator sets a new one as soon as the desk has read the old."""

    def __init__(self, pins: Pins) -> None:
        self._pins = pins

    def pin_of(self, person: PersonId) -> PinState | None:
        state = self._pins.pin_of(person)
        PinService(self._pins).set(person, NEW)
        return state

    def keep_pin(self, person: PersonId, state: PinState) -> None:
        self._pins.keep_pin(person, state)

    def note_tries(self, person: PersonId, hash_: str, failures: int, locked_until: Timestamp | None) -> bool:
        return self._pins.note_tries(person, hash_, failures, locked_until)


def enter_wrong_pins(house: House, times: int) -> None:
    for left in range(times, 0, -1):
        with pytest.raises(WrongPin) as refused:
            house.press(EnterPin(WRONG))
        assert refused.value.values["left"] == left + 4 - times


def lock(house: House) -> None:
    house.badge("thomas")
    enter_wrong_pins(house, 4)
    with pytest.raises(PinLocked):
        house.press(EnterPin(WRONG))


def test_a_badge_that_proves_only_an_identifier_needs_the_pin_before_the_door_opens(house: House) -> None:
    house.badge("thomas")
    assert (house.step, house.door.pulses, house.screen.digits) == (Step.PIN, 0, 8)
    house.press(EnterPin(PIN))
    assert (house.step, house.door.pulses) == (Step.OPEN, 1)


def test_the_tier_of_the_badge_is_in_the_record(house: House) -> None:
    house.badge("thomas")
    house.press(EnterPin(PIN))
    house.key("K-1")
    house.sign()
    assert house.entries()[-1].data["tier"] == "identifier_only"


def test_a_badge_that_proves_itself_needs_no_pin(house: House) -> None:
    house.badge("camille")
    assert house.at(Step.OPEN)


@pytest.mark.parametrize("pin", [WRONG, "", "2468 ", "24680", "é", "2" * 5000, "2468\0"])
def test_a_wrong_pin_opens_nothing_and_is_logged(house: House, pin: str) -> None:
    house.badge("thomas")
    with pytest.raises(WrongPin) as refused:
        house.press(EnterPin(pin))
    assert refused.value.values == {"left": 4}
    assert (house.step, house.notice, house.door.pulses) == (Step.PIN, "WrongPin", 0)
    assert house.rows("SELECT what, person FROM access_log") == [("wrong_pin", house.person("thomas"))]


def test_the_right_pin_after_four_wrong_ones_opens_and_wipes_the_slate(house: House) -> None:
    house.badge("thomas")
    enter_wrong_pins(house, 4)
    house.press(EnterPin(PIN))
    assert house.at(Step.OPEN)
    house.leave_by_closing()
    house.badge("thomas")
    enter_wrong_pins(house, 4)
    house.press(EnterPin(PIN))
    assert house.at(Step.OPEN)


def test_five_wrong_pins_lock_the_person_out_and_end_the_visit(house: House) -> None:
    lock(house)
    assert (house.step, house.notice, house.door.pulses) == (Step.IDLE, "PinLocked", 0)
    house.badge("thomas")
    assert (house.step, house.notice) == (Step.IDLE, "PinLocked")
    assert house.screen.notice is not None
    assert house.screen.notice.values["until"] == "2026-11-23T06:15:00.000Z"


def test_a_lock_out_survives_a_restart(house: House) -> None:
    lock(house)
    house.restart()
    house.badge("thomas")
    assert (house.step, house.notice) == (Step.IDLE, "PinLocked")


def test_wrong_pins_are_counted_over_visits_and_restarts(house: House) -> None:
    house.badge("thomas")
    enter_wrong_pins(house, 3)
    house.restart()
    house.badge("thomas")
    with pytest.raises(WrongPin):
        house.press(EnterPin(WRONG))
    house.wait(31)
    assert house.at(Step.IDLE)
    house.badge("thomas")
    with pytest.raises(PinLocked):
        house.press(EnterPin(WRONG))


def test_a_lock_out_ends_by_itself_after_a_quarter_of_an_hour_and_five_tries_are_left(house: House) -> None:
    lock(house)
    house.wait(15 * 60 - 1)
    house.badge("thomas")
    assert house.notice == "PinLocked"
    house.wait(1)
    house.badge("thomas")
    assert house.at(Step.PIN)
    enter_wrong_pins(house, 4)
    house.press(EnterPin(PIN))
    assert house.at(Step.OPEN)


def test_a_new_pin_lifts_a_lock_out_and_the_old_one_is_worth_nothing(house: House) -> None:
    lock(house)
    house.store.pins.set(house.person("thomas"), "13579")
    house.badge("thomas")
    with pytest.raises(WrongPin):
        house.press(EnterPin(PIN))
    house.press(EnterPin("13579"))
    assert house.at(Step.OPEN)


@pytest.mark.parametrize("before", [0, 3, 4])
def test_a_pin_set_while_a_wrong_one_is_typed_stays_set_with_all_its_tries(house: House, before: int) -> None:
    house.badge("thomas")
    enter_wrong_pins(house, before)
    with pytest.raises(WrongPin) as refused:
        PinService(Overtaken(house.store.local)).check(house.person("thomas"), WRONG, house.clock.now().time)
    assert refused.value.values["left"] == 5
    enter_wrong_pins(house, 4)
    house.press(EnterPin(NEW))
    assert house.at(Step.OPEN)


def test_a_pin_set_while_the_old_one_is_typed_stays_set(house: House) -> None:
    house.badge("thomas")
    enter_wrong_pins(house, 2)
    PinService(Overtaken(house.store.local)).check(house.person("thomas"), PIN, house.clock.now().time)
    house.press(EnterPin(NEW))
    assert house.at(Step.OPEN)


def test_one_persons_lock_out_is_nobody_elses(house: House) -> None:
    lock(house)
    house.badge("nadia")
    assert house.at(Step.OPEN)


def test_a_clock_set_back_does_not_shorten_a_lock_out(house: House) -> None:
    lock(house)
    house.clock.set_wall_clock(timedelta(hours=-2))
    house.badge("thomas")
    assert house.notice == "PinLocked"


@pytest.mark.parametrize("pin", ["", "123", "123456789", "12a4", "12 34", "١٢٣٤", "²²²²", "-123"])
def test_a_pin_that_is_not_four_to_eight_digits_is_not_set(house: House, pin: str) -> None:
    with pytest.raises(BadPin):
        house.store.pins.set(house.person("thomas"), pin)
    house.badge("thomas")
    house.press(EnterPin(PIN))
    assert house.at(Step.OPEN)


def test_pins_are_kept_as_argon2id_hashes_only(house: House) -> None:
    hashes = [hash_ for (hash_,) in house.rows("SELECT hash FROM pins")]
    assert len(hashes) == 3
    assert all(hash_.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for hash_ in hashes)
    assert len(set(hashes)) == 3  # the same PIN, each with its own salt


def test_a_pin_at_another_step_is_refused(house: House) -> None:
    house.enter("nadia")
    with pytest.raises(NotNow):
        house.press(EnterPin(PIN))


def test_the_pin_does_not_show_in_the_press() -> None:
    assert PIN not in repr(EnterPin(PIN))
