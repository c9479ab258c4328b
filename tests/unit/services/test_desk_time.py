"""How long the screen waits: by the monotonic clock, whatever somebody does to the other one."""

from datetime import timedelta

import pytest

from kiosk.services.front import EnterPin, Step, StillHere
from tests.building import PIN, House


def test_an_open_cabinet_asks_after_30_seconds_and_gives_up_20_later(house: House) -> None:
    house.badge("nadia")
    house.wait(29.9)
    assert (house.step, house.screen.asking) == (Step.OPEN, False)
    house.wait(0.1)
    assert (house.step, house.screen.asking) == (Step.OPEN, True)
    house.wait(19.9)
    assert house.at(Step.OPEN)
    house.wait(0.1)
    assert house.at(Step.IDLE)


def test_signing_asks_after_60_seconds_and_gives_up_20_later(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.wait(59.9)
    assert not house.screen.asking
    house.wait(0.1)
    assert house.screen.asking
    house.wait(19.9)
    assert house.at(Step.SIGNING)
    house.wait(0.1)
    assert house.at(Step.IDLE)


def test_a_pin_is_waited_for_30_seconds_and_no_more(house: House) -> None:
    house.badge("thomas")
    house.wait(29.9)
    assert (house.step, house.screen.asking) == (Step.PIN, False)
    house.wait(0.1)
    assert house.at(Step.IDLE)
    assert house.rows("SELECT count(*) FROM visits") == [(0,)]


def test_success_is_shown_for_4_seconds_touched_or_not(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.lift("01")
    house.sign()
    house.close_door()
    house.wait(2)
    house.press(StillHere())
    house.wait(1.9)
    assert house.at(Step.DONE)
    house.wait(0.1)
    assert house.at(Step.IDLE)


def test_after_success_an_open_door_leads_back_to_the_keys(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.sign()
    house.wait(4)
    assert (house.step, house.screen.door_open) == (Step.OPEN, True)
    house.close_door()
    assert house.at(Step.IDLE)


def test_an_inventory_asks_after_60_seconds_and_gives_up_20_later(house: House) -> None:
    house.badge("sophie")
    house.press(EnterPin(PIN))
    house.wait(60)
    assert (house.step, house.screen.asking) == (Step.INVENTORY, True)
    house.wait(20)
    assert house.at(Step.IDLE)


@pytest.mark.parametrize("tapped", [True, False])
def test_still_here_begins_the_wait_anew(house: House, tapped: bool) -> None:
    house.enter("nadia")
    if tapped:
        house.key("K-1")
    step, patience = (Step.SIGNING, 60) if tapped else (Step.OPEN, 30)
    house.wait(patience)
    house.press(StillHere())
    assert (house.step, house.screen.asking) == (step, False)
    house.wait(patience - 0.1)
    assert (house.step, house.screen.asking) == (step, False)
    house.wait(0.1)
    assert house.screen.asking


def test_a_key_or_a_hook_is_a_sign_of_life(house: House) -> None:
    house.enter("nadia")
    house.wait(29)
    house.lift("01")
    house.wait(29)
    house.key("K-1")
    house.wait(59)
    house.key("K-1")
    house.wait(59)
    assert (house.step, house.screen.asking) == (Step.SIGNING, False)


def test_the_wall_clock_keeps_nobody_waiting_and_shows_nobody_out(house: House) -> None:
    house.badge("nadia")
    house.clock.set_wall_clock(timedelta(hours=2))
    house.desk.tick()
    assert (house.step, house.screen.asking) == (Step.OPEN, False)
    house.clock.set_wall_clock(timedelta(hours=-4))
    house.wait(50)
    assert house.at(Step.IDLE)


def test_nothing_is_due_when_nobody_is_there(house: House) -> None:
    assert house.desk.next_tick is None
    house.badge("nadia")
    assert house.desk.next_tick is not None
    house.wait(50)
    assert (house.step, house.desk.next_tick) == (Step.IDLE, None)


def test_a_tick_that_comes_too_early_does_nothing(house: House) -> None:
    house.badge("nadia")
    shown = house.screen
    house.desk.tick()
    assert house.screen == shown


def test_the_same_badge_after_success_and_a_shut_door_begins_a_new_visit(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.lift("01")
    house.sign()
    house.close_door()
    before = house.screen.token
    house.badge("nadia")
    assert house.at(Step.OPEN)
    assert house.screen.token != before
    assert house.rows("SELECT count(*) FROM visits WHERE ended IS NULL") == [(1,)]


def test_the_same_badge_after_success_with_the_door_open_goes_on(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.sign()
    before = house.screen.token
    house.badge("nadia")
    assert (house.step, house.screen.token) == (Step.DONE, before)
