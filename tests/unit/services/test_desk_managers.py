"""§1. A manager reads the inventory at the cabinet, after badge and PIN."""

import pytest

from kiosk.domain.errors import NoPin, NotAllowed, NotNow, NotTechnician
from kiosk.domain.events import PersonEnrolled
from kiosk.domain.people import Role
from kiosk.services.commands import new_command
from kiosk.services.front import Cancel, EnterPin, OpenCabinet, ShowInventory, Step
from tests.building import PIN, House


def test_a_manager_reads_the_inventory_after_badge_and_pin(house: House) -> None:
    house.badge("sophie")
    assert (house.step, house.door.pulses) == (Step.PIN, 0)
    house.press(EnterPin(PIN))
    assert (house.step, house.screen.offers_inventory, house.screen.offers_custody) == (Step.INVENTORY, True, False)
    assert house.door.pulses == 0


def test_a_manager_who_is_a_technician_goes_from_the_keys_to_the_inventory_and_back(house: House) -> None:
    house.enter("camille")
    house.press(ShowInventory())
    assert house.at(Step.PIN)
    house.press(EnterPin(PIN))
    assert house.at(Step.INVENTORY)
    house.press(OpenCabinet())
    assert (house.step, house.door.pulses) == (Step.OPEN, 1)
    house.press(ShowInventory())
    assert house.at(Step.INVENTORY)  # the PIN is asked for once a visit
    house.press(OpenCabinet())
    house.key("K-1")
    house.sign()
    assert house.custody("K-1") == ["custody.taken"]


def test_an_inventory_without_an_open_door_does_not_open_it(house: House) -> None:
    house.badge("sophie")
    house.press(EnterPin(PIN))
    with pytest.raises(NotTechnician):
        house.press(OpenCabinet())
    assert (house.step, house.door.pulses) == (Step.INVENTORY, 0)
    house.press(Cancel())
    assert house.at(Step.IDLE)


def test_a_technician_does_not_read_the_inventory(house: House) -> None:
    house.enter("nadia")
    with pytest.raises(NotAllowed):
        house.press(ShowInventory())
    assert (house.step, house.notice, house.screen.offers_inventory) == (Step.OPEN, "NotAllowed", False)


def test_a_manager_without_a_pin_does_not_read_the_inventory(house: House) -> None:
    with house.store.journal.act(new_command(), "operator") as act:
        person = act.lines.person(house.person("nadia"))
        assert person is not None
        roles = (Role.TECHNICIAN, Role.OPERATIONS_MANAGER)
        act.record(PersonEnrolled(person=person.id, roles=roles, profile=person.profile))
    house.enter("nadia")
    with pytest.raises(NoPin):
        house.press(ShowInventory())
    assert house.at(Step.OPEN)


def test_the_inventory_is_not_shown_in_the_middle_of_signing(house: House) -> None:
    house.enter("camille")
    house.key("K-1")
    with pytest.raises(NotNow):
        house.press(ShowInventory())
    assert (house.step, house.basket) == (Step.SIGNING, ["K-1"])


def test_a_key_tapped_at_the_inventory_is_refused(house: House) -> None:
    house.enter("camille")
    house.press(ShowInventory())
    house.press(EnterPin(PIN))
    house.key("K-1")
    assert (house.step, house.notice) == (Step.INVENTORY, "BadgeFirst")


def test_a_hook_emptied_while_its_manager_reads_the_inventory_is_theirs(house: House) -> None:
    house.enter("camille")
    house.press(ShowInventory())
    house.press(EnterPin(PIN))
    house.lift("01")
    house.wait(80)
    assert house.at(Step.IDLE)
    assert house.custody("K-1") == ["custody.taken_unsigned"]
    assert house.item("K-1").holder == house.person("camille")
