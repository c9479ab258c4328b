"""§1. Taking and returning at the cabinet, as it should go."""

import threading

import pytest

from kiosk.domain.access_means import Place
from kiosk.domain.custody import Act
from kiosk.domain.errors import NotNow
from kiosk.domain.identifiers import HookId, ItemId
from kiosk.domain.people import Tier
from kiosk.services.front import Cancel, Remove, Step
from tests.building import LOCK, House


def test_a_badge_opens_the_door_once_and_says_so(house: House) -> None:
    house.badge("nadia")
    assert house.at(Step.OPEN)
    assert house.screen.name == "Nadia Benali"
    assert house.screen.tier is Tier.AUTHENTICATED
    assert house.door.pulses == 1
    assert house.signals.heard == ["accepted"]
    assert house.size == len(house.entries())  # an ordinary opening is no custody evidence


def test_a_key_that_is_tapped_is_shown_with_its_statement(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    assert house.at(Step.SIGNING)
    [line] = house.screen.basket
    assert (line.item, line.act, line.designation, line.client) == (
        "K-1",
        Act.TAKE,
        "Chaufferie",
        "Clinique Saint-Roch",
    )
    assert (line.hook, line.on_hook) == ("01", False)
    assert "Nadia Benali" in house.statement()
    assert "- K-1 · Chaufferie · Clinique Saint-Roch · Bâtiment A" in house.statement()


def test_a_signed_take_is_in_the_technicians_name_with_statement_and_signature(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    statement = house.statement()
    house.sign()
    assert house.at(Step.DONE)
    assert [line.item for line in house.screen.recorded] == ["K-1"]
    [entry] = house.entries(size)
    nadia = house.person("nadia")
    assert (entry.type, entry.subject, entry.actor) == ("custody.taken", "K-1", nadia)
    assert entry.data["person"] == nadia
    assert entry.data["tier"] == "authenticated"
    assert entry.data["sensed"] is True
    kept = house.store.journal.document(entry.data["statement"])
    assert kept is not None
    assert kept[32:].decode() == statement
    drawn = house.store.journal.document(entry.data["signature"])
    assert drawn is not None
    assert drawn[32:].startswith(b"\x89PNG")
    item = house.item("K-1")
    assert (item.place, item.holder, item.unsigned) == (Place.PERSON, nadia, False)


def test_a_key_from_a_hook_without_a_switch_is_recorded_as_declared_only(house: House) -> None:
    house.take("nadia", "K-17")
    assert house.entries()[-1].data["sensed"] is False


def test_several_keys_are_signed_for_with_one_signature_in_one_command(house: House) -> None:
    size = house.size
    house.take("nadia", "K-1", "K-2", "K-17")
    entries = house.entries(size)
    assert [entry.subject for entry in entries] == ["K-1", "K-2", "K-17"]
    assert len({entry.command for entry in entries}) == 1
    assert len({entry.data["signature"] for entry in entries}) == 1
    assert len({entry.data["statement"] for entry in entries}) == 1


def test_a_return_by_the_holder_awaits_its_countersignature(house: House) -> None:
    house.take("nadia", "K-1")
    house.give_back("nadia", "K-1")
    assert house.custody("K-1") == ["custody.taken", "custody.returned"]
    assert house.entries()[-1].data["sensed"] is True
    item = house.item("K-1")
    assert (item.place, item.holder, item.awaiting_countersignature) == (Place.HOOK, None, True)


def test_a_return_that_is_tapped_and_not_hung_is_recorded_as_declared_only(house: House) -> None:
    house.take("nadia", "K-1")
    house.enter("nadia")
    house.key("K-1")
    house.sign()
    assert house.custody("K-1")[-1] == "custody.returned"
    assert house.entries()[-1].data["sensed"] is False


def test_a_returned_key_can_be_taken_by_the_next_technician_before_it_is_countersigned(house: House) -> None:
    house.take("nadia", "K-1")
    house.give_back("nadia", "K-1")
    house.take("julien", "K-1")
    assert house.item("K-1").holder == house.person("julien")


def test_one_visit_mixes_takes_and_returns_and_the_register_tells_which(house: House) -> None:
    house.take("nadia", "K-1")
    house.enter("nadia")
    house.key("K-1")
    house.hang("01")
    house.lift("02")
    house.key("K-2")
    assert [(line.item, line.act) for line in house.screen.basket] == [("K-1", Act.RETURN), ("K-2", Act.TAKE)]
    assert house.screen.statement is not None
    assert [clause.act for clause in house.screen.statement.clauses] == [Act.TAKE, Act.RETURN]
    house.sign()
    assert house.types()[-2:] == ["custody.returned", "custody.taken"]
    assert len({entry.data["signature"] for entry in house.entries()[-2:]}) == 1


def test_the_lamp_of_a_returned_keys_hook_is_lit_until_it_is_signed(house: House) -> None:
    house.take("nadia", "K-1", "K-2")
    house.enter("nadia")
    assert house.front.lit == set()
    house.key("K-1")
    assert house.front.lit == {"01"}
    house.key("K-2")
    assert house.front.lit == {"01", "02"}
    house.press(Remove(ItemId("K-1")))
    assert house.front.lit == {"02"}
    house.sign()
    assert house.front.lit == set()


def test_the_lamps_go_out_when_the_visit_ends_without_a_signature(house: House) -> None:
    house.take("nadia", "K-1")
    house.enter("nadia")
    house.key("K-1")
    assert house.front.lit == {"01"}
    house.wait(80)
    assert house.at(Step.IDLE)
    assert house.front.lit == set()


def test_a_taken_keys_hook_stays_dark(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    assert house.front.lit == set()


def test_a_second_tap_of_the_same_key_changes_nothing(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    shown = house.screen
    house.key("K-1")
    assert house.screen == shown
    house.sign()
    assert house.custody("K-1") == ["custody.taken"]


def test_the_cross_removes_one_key_and_the_others_stay(house: House) -> None:
    house.enter("nadia")
    house.key("K-1", "K-2")
    house.press(Remove(ItemId("K-1")))
    assert house.basket == ["K-2"]
    assert "K-1" not in house.statement()
    house.sign()
    assert (house.custody("K-1"), house.custody("K-2")) == ([], ["custody.taken"])


def test_the_cross_on_the_last_key_goes_back_to_the_open_door(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.press(Remove(ItemId("K-1")))
    assert (house.step, house.basket) == (Step.OPEN, [])
    house.leave()
    assert house.custody("K-1") == []


def test_removing_a_key_that_is_not_there_changes_nothing(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.press(Remove(ItemId("K-2")))
    assert house.basket == ["K-1"]


def test_a_removed_key_whose_hook_is_empty_is_still_shown_as_untapped(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.press(Remove(ItemId("K-1")))
    assert [line.item for line in house.screen.untapped] == ["K-1"]


def test_cancelling_puts_every_key_back_into_question_and_records_nothing(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.key("K-17")
    house.press(Cancel())
    assert (house.step, house.basket) == (Step.OPEN, [])
    house.leave()
    assert house.size == size
    assert house.rows("SELECT count(*) FROM visits WHERE ended IS NULL") == [(0,)]


def test_cancelling_with_the_door_shut_ends_the_visit(house: House) -> None:
    house.badge("nadia")
    house.press(Cancel())
    assert house.at(Step.IDLE)


def test_a_visit_without_a_key_leaves_no_trace_in_the_ledger(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.leave()
    assert house.size == size
    [(person, ended)] = house.rows("SELECT person, ended FROM visits")
    assert person == house.person("nadia")
    assert ended is not None


def test_keys_can_be_added_after_a_signature_and_are_signed_for_again(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.sign()
    house.key("K-2")
    assert (house.step, house.basket) == (Step.SIGNING, ["K-2"])
    house.sign()
    commands = {entry.command for entry in house.entries()[-2:]}
    assert len(commands) == 2


def test_a_key_taken_and_brought_back_in_one_visit_is_a_take_and_a_return(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.sign()
    house.key("K-1")
    assert [line.act for line in house.screen.basket] == [Act.RETURN]
    house.hang("01")
    house.sign()
    assert house.custody("K-1") == ["custody.taken", "custody.returned"]


def test_a_button_of_another_step_is_refused(house: House) -> None:
    house.enter("nadia")
    with pytest.raises(NotNow):
        house.press(Remove(ItemId("K-1")))
    assert house.at(Step.OPEN)


def test_the_opening_is_on_disk_before_the_door_is_told_to_open(house: House) -> None:
    seen: list[int] = []
    house.door.before = lambda: seen.append(len(house.rows("SELECT 1 FROM visits WHERE ended IS NULL")))
    house.badge("nadia")
    assert seen == [1]


def test_the_opening_is_on_disk_when_the_lock_is_pulsed(house: House) -> None:
    seen: list[int] = []
    done = threading.Event()

    def look(pin: object) -> None:
        if house.pins.wired(LOCK).is_high:
            seen.append(len(house.rows("SELECT 1 FROM visits WHERE ended IS NULL")))
            done.set()

    house.pins.wired(LOCK).heard = look
    try:
        house.badge("nadia")
        assert done.wait(10)
    finally:
        house.pins.wired(LOCK).heard = None
    assert seen == [1]


def test_the_record_is_on_disk_when_the_accepted_signal_sounds(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    seen: list[int] = []
    sound = house.signals.accepted

    def accepted() -> None:
        seen.append(len(house.rows("SELECT 1 FROM entries WHERE subject = 'K-1'")))
        sound()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house.signals, "accepted", accepted)
        house.sign()
    assert seen == [2]  # received, and taken


def test_a_hook_that_moves_while_nobody_visits_is_no_concern_of_the_desk(house: House) -> None:
    house.lift("01")
    house.hang("01")
    assert (house.step, house.screen.untapped) == (Step.IDLE, ())


def test_the_screen_tells_each_basket_line_whether_its_hook_agrees(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    assert house.screen.basket[0].on_hook is True
    house.lift("01")
    assert house.screen.basket[0].on_hook is False
    house.key("K-17")
    assert house.screen.basket[1].on_hook is None
    assert house.screen.basket[1].hook == HookId("17")
