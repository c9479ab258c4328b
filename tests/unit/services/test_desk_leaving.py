"""Leaving without signing: the key is the visitor's all the same, headquarters is told, and it is signed for at the next badge."""

import pytest

from kiosk.domain.custody import Act
from kiosk.domain.errors import SignFirst, StatementChanged
from kiosk.domain.identifiers import ItemId
from kiosk.services.front import Cancel, EnterPin, Remove, Sign, Step
from tests.building import PIN, SIGNATURE, House

UNSIGNED = ["custody.taken_unsigned", "cabinet.visit_unresolved"]


def unresolved(house: House) -> tuple[object, object]:
    """The cause and the items of the newest unresolved visit."""
    entry = next(entry for entry in reversed(house.entries()) if entry.type == "cabinet.visit_unresolved")
    return entry.data["cause"], entry.data["items"]


def owe(house: House) -> None:
    """Nadia leaves with K-1 and does not sign."""
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.close_door()
    house.wait(80)
    assert house.item("K-1").unsigned


def test_walking_away_after_tapping_is_a_take_without_a_signature(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.close_door()
    assert house.at(Step.SIGNING)  # there is time to sign still
    house.wait(80)
    assert house.at(Step.IDLE)
    assert house.types(size) == UNSIGNED
    taken, visit = house.entries(size)
    assert (taken.data["tapped"], taken.data["sensed"], taken.actor) == (True, True, house.person("nadia"))
    assert taken.data["visit"] == visit.subject
    assert unresolved(house) == ("expired", ["K-1"])
    assert (house.item("K-1").holder, house.item("K-1").unsigned) == (house.person("nadia"), True)
    assert house.signals.heard[-1] == "error"


def test_walking_away_with_an_untapped_key_and_the_door_open_is_told_with_the_door(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    assert [line.item for line in house.screen.untapped] == ["K-1"]
    house.wait(50)
    assert house.types(size) == [*UNSIGNED, "cabinet.door_left_open"]
    taken = house.entries(size)[0]
    assert (taken.data["tapped"], taken.data["sensed"]) == (False, True)
    assert house.signals.heard[-1] == "error"


def test_walking_away_with_the_door_open_and_nothing_taken_is_told(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.wait(50)
    assert house.types(size) == ["cabinet.door_left_open"]
    assert house.entries(size)[0].actor == house.person("nadia")
    assert house.signals.heard[-1] == "error"


def test_walking_away_with_the_door_open_after_tapping_is_told_with_the_key(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.key("K-17")
    house.wait(80)
    assert house.types(size) == [*UNSIGNED, "cabinet.door_left_open"]


def test_a_door_closed_on_an_untapped_key_waits_for_the_tap_and_then_gives_up(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    house.close_door()
    assert (house.step, [line.item for line in house.screen.untapped]) == (Step.OPEN, ["K-1"])
    assert house.size == size
    house.wait(50)
    assert house.types(size) == UNSIGNED


def test_a_key_tapped_after_the_door_was_closed_on_it_is_signed_for_as_usual(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.close_door()
    house.key("K-1")
    assert house.screen.untapped == ()
    house.sign()
    house.wait(4)
    assert house.at(Step.IDLE)
    assert house.custody("K-1") == ["custody.taken"]


def test_a_key_hung_back_where_it_was_is_no_take(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    house.hang("01")
    assert house.screen.untapped == ()
    house.leave()
    assert house.size == size


def test_cancelling_does_not_make_an_emptied_hook_forgotten(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.press(Cancel())
    house.close_door()
    assert house.at(Step.OPEN)
    house.press(Cancel())
    house.wait(50)
    assert house.custody("K-1") == ["custody.taken_unsigned"]


def test_a_key_taken_beside_those_that_were_signed_for_is_taken_unsigned(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.lift("02")
    house.sign()
    house.close_door()
    house.wait(4)
    assert (house.step, [line.item for line in house.screen.untapped]) == (Step.OPEN, ["K-2"])
    house.wait(50)
    assert (house.custody("K-1"), house.custody("K-2")) == (["custody.taken"], ["custody.taken_unsigned"])
    assert unresolved(house) == ("expired", ["K-2"])


def test_a_return_that_is_tapped_and_not_signed_stays_the_holders_and_is_told(house: House) -> None:
    house.take("nadia", "K-1")
    size = house.size
    house.enter("nadia")
    house.key("K-1")
    house.hang("01")
    house.close_door()
    house.wait(80)
    assert house.types(size) == ["cabinet.visit_unresolved"]
    assert unresolved(house) == ("expired", ["K-1"])
    assert (house.item("K-1").holder, house.item("K-1").unsigned) == (house.person("nadia"), False)


def test_a_power_cut_after_tapping_is_a_take_without_a_signature(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    house.key("K-1", "K-17")
    house.restart()
    assert house.types(size) == ["custody.taken_unsigned"] * 2 + ["cabinet.visit_unresolved", "cabinet.door_left_open"]
    assert unresolved(house) == ("restarted", ["K-1", "K-17"])
    assert house.item("K-17").holder == house.person("nadia")


def test_a_hook_emptied_while_the_power_was_cut_in_a_visit_is_the_visitors(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.restart()
    assert house.custody("K-1") == ["custody.taken_unsigned"]


def test_a_restart_between_visits_records_nothing(house: House) -> None:
    house.take("nadia", "K-1")
    size = house.size
    house.restart()
    house.restart()
    assert house.size == size


def test_what_was_signed_before_a_power_cut_is_not_taken_again_by_the_restart(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.sign()
    size = house.size
    house.restart()
    assert house.types(size) == ["cabinet.door_left_open"]
    assert house.custody("K-1") == ["custody.taken"]


def test_a_debt_is_signed_for_at_the_next_badge_before_the_door_opens(house: House) -> None:
    owe(house)
    pulses = house.door.pulses
    house.badge("nadia")
    assert (house.step, house.basket, house.door.pulses) == (Step.SIGNING, ["K-1"], pulses)
    assert [line.act for line in house.screen.basket] == [Act.SIGN]
    assert "sans les avoir signés" in house.statement()
    house.sign()
    assert (house.step, house.door.pulses) == (Step.OPEN, pulses + 1)
    assert house.custody("K-1") == ["custody.taken_unsigned", "custody.take_signed"]
    assert not house.item("K-1").unsigned
    since = house.item("K-1").since
    assert since == house.entries()[-3].time  # since it was taken, not since it was signed for


def test_a_debt_cannot_be_removed_cancelled_or_returned_instead(house: House) -> None:
    owe(house)
    pulses = house.door.pulses
    house.badge("nadia")
    with pytest.raises(SignFirst):
        house.press(Remove(ItemId("K-1")))
    house.key("K-1")
    assert house.notice == "SignFirst"
    house.press(Cancel())
    assert (house.step, house.door.pulses) == (Step.IDLE, pulses)
    house.badge("nadia")
    assert house.at(Step.SIGNING)
    house.wait(80)
    assert (house.step, house.door.pulses) == (Step.IDLE, pulses)
    assert house.custody("K-1") == ["custody.taken_unsigned"]


def test_valider_pressed_twice_on_a_debt_signs_and_opens_once(house: House) -> None:
    owe(house)
    pulses = house.door.pulses
    house.badge("nadia")
    press = Sign(SIGNATURE, house.statement())
    house.press(press)
    house.press(press)
    assert house.door.pulses == pulses + 1
    assert house.custody("K-1") == ["custody.taken_unsigned", "custody.take_signed"]


def test_one_persons_debt_keeps_nobody_else_out(house: House) -> None:
    owe(house)
    house.badge("julien")
    assert house.at(Step.OPEN)


def test_a_debt_is_asked_for_after_the_pin_where_there_is_one(house: House) -> None:
    house.badge("thomas")
    house.press(EnterPin(PIN))
    house.key("K-17")
    house.wait(80)
    house.badge("thomas")
    assert house.at(Step.PIN)
    house.press(EnterPin(PIN))
    assert (house.step, house.basket) == (Step.SIGNING, ["K-17"])


def test_a_debt_that_is_settled_can_be_returned_in_the_same_visit(house: House) -> None:
    owe(house)
    house.badge("nadia")
    house.sign()
    house.open_door()
    house.key("K-1")
    house.hang("01")
    house.sign()
    assert house.custody("K-1")[-1] == "custody.returned"


def test_what_was_signed_for_a_debt_is_not_a_signature_for_the_next_key(house: House) -> None:
    owe(house)
    house.badge("nadia")
    old = house.statement()
    house.sign()
    house.key("K-2")
    with pytest.raises(StatementChanged):
        house.press(Sign(SIGNATURE, old))
    assert house.custody("K-2") == []
