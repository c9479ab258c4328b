"""The receipt on the last picture: what its code holds, and how long it stays."""

import pytest

from kiosk.domain.errors import NotNow
from kiosk.ledger.entry import digest
from kiosk.services.front import KeepReceipt, Sign, Step
from tests.building import SIGNATURE, House


def sign_for(house: House, *keys: str) -> None:
    """Nadia has signed; the success is shown."""
    house.enter("nadia")
    house.key(*keys)
    house.sign()
    assert house.at(Step.DONE)


def newest(house: House) -> str:
    """What has to be in the code: id and hash of the last entry."""
    return f"{house.entries()[-1].id} {digest(house.bodies()[-1])}"


def test_the_receipt_names_the_acts_last_entry_and_its_hash(house: House) -> None:
    assert house.screen.receipt == ""
    sign_for(house, "K-1", "K-17")
    assert house.screen.receipt == newest(house)
    assert house.entries()[-1].subject == "K-17"


def test_a_return_has_a_receipt_of_its_own(house: House) -> None:
    house.take("nadia", "K-1")
    taken = newest(house)
    sign_for(house, "K-1")
    assert house.screen.receipt == newest(house) != taken


def test_no_other_picture_and_no_other_visit_shows_it(house: House) -> None:
    sign_for(house, "K-1")
    house.wait(4)
    assert (house.step, house.screen.receipt) == (Step.OPEN, "")
    house.close_door()
    house.enter("julien")
    assert house.screen.receipt == ""


def test_valider_pressed_twice_shows_the_same_receipt(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    press = Sign(SIGNATURE, house.statement())
    house.press(press)
    shown = house.screen.receipt
    house.press(press)
    assert house.screen.receipt == shown == newest(house)


def test_a_receipt_that_is_touched_stays_for_30_seconds(house: House) -> None:
    sign_for(house, "K-1")
    house.wait(3)
    stage = house.screen.stage
    house.press(KeepReceipt())
    house.wait(29.9)
    assert (house.step, house.screen.stage) == (Step.DONE, stage)
    house.wait(0.1)
    assert house.at(Step.OPEN)


def test_a_receipt_that_stays_keeps_nobody_else_waiting(house: House) -> None:
    sign_for(house, "K-1")
    house.lift("01")
    house.close_door()
    house.press(KeepReceipt())
    house.badge("julien")
    assert (house.step, house.screen.name) == (Step.OPEN, "Julien Morel")


def test_where_no_receipt_is_shown_none_can_be_kept(house: House) -> None:
    house.enter("nadia")
    with pytest.raises(NotNow):
        house.press(KeepReceipt())
