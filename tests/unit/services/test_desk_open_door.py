"""An open door is somebody's until it is shut, and what moves on the hooks is seen against what hung when it was opened."""

import sqlite3
from contextlib import closing

import pytest

from kiosk.domain.custody import Act
from kiosk.domain.people import Tier
from kiosk.services.front import Cancel, EnterPin, OpenCabinet, ShowInventory, Step
from kiosk.services.ports import Tap
from tests.building import BADGES, PIN, House


def unresolved(house: House) -> list[tuple[str, list[str]]]:
    found = [entry for entry in house.entries() if entry.type == "cabinet.visit_unresolved"]
    return [(entry.data["cause"], entry.data["items"]) for entry in found]


@pytest.mark.parametrize("name", ["thomas", "sophie"])
def test_a_badge_that_needs_a_pin_does_not_take_over_an_open_door(house: House, name: str) -> None:
    house.enter("nadia")
    house.badge(name)
    assert house.notice == "CloseDoorFirst"
    house.lift("01")
    house.wait(50)
    assert house.item("K-1").holder == house.person("nadia")


def test_a_badge_that_owes_a_signature_does_not_take_over_an_open_door(house: House) -> None:
    house.enter("julien")
    house.lift("02")
    house.wait(50)
    house.close_door()
    house.enter("nadia")
    house.badge("julien")
    assert house.notice == "CloseDoorFirst"
    assert house.at(Step.OPEN)


def test_who_walks_away_from_an_open_door_answers_for_what_moves_until_it_is_shut(house: House) -> None:
    house.enter("nadia")
    house.wait(50)
    assert house.at(Step.IDLE)
    house.lift("01")
    house.close_door()
    assert house.custody("K-1") == ["custody.taken_unsigned"]
    assert house.item("K-1").holder == house.person("nadia")
    assert house.rows("SELECT count(*) FROM visits WHERE ended IS NULL") == [(0,)]


def test_what_moves_after_an_unresolved_visit_is_recorded_too(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.wait(50)
    house.lift("02")
    house.close_door()
    assert unresolved(house) == [("expired", ["K-1"]), ("closed", ["K-2"])]
    assert house.item("K-2").holder == house.person("nadia")


def test_a_restart_remembers_who_walked_away_from_the_open_door(house: House) -> None:
    house.enter("nadia")
    house.wait(50)
    house.restart()
    house.lift("01")
    house.close_door()
    assert house.item("K-1").holder == house.person("nadia")


def test_the_next_badge_at_the_open_door_ends_the_abandoned_visit_first(house: House) -> None:
    house.enter("nadia")
    house.wait(50)
    house.lift("01")
    house.badge("julien")
    assert house.at(Step.OPEN)
    house.lift("02")
    house.wait(50)
    house.close_door()
    assert house.item("K-1").holder == house.person("nadia")
    assert house.item("K-2").holder == house.person("julien")


def test_a_hook_that_was_empty_before_the_visit_is_nobodys_after_a_restart(house: House) -> None:
    house.take("nadia", "K-1")
    house.enter("nadia")
    house.key("K-1")
    house.sign()
    house.leave()
    assert house.item("K-1").holder is None
    house.badge("julien")
    size = house.size
    house.restart()
    assert house.types(size) == []


def test_a_key_hung_without_a_tap_is_asked_for_and_keeps_the_visit_open(house: House) -> None:
    house.take("nadia", "K-1")
    house.enter("nadia")
    house.hang("01")
    assert [(line.item, line.act) for line in house.screen.untapped] == [("K-1", Act.RETURN)]
    house.close_door()
    assert house.at(Step.OPEN)
    house.wait(50)
    assert unresolved(house) == [("expired", ["K-1"])]
    assert house.item("K-1").holder == house.person("nadia")


def test_a_key_hung_and_then_tapped_is_an_ordinary_return(house: House) -> None:
    house.take("nadia", "K-1")
    house.enter("nadia")
    house.hang("01")
    house.key("K-1")
    house.sign()
    house.leave()
    assert house.custody("K-1") == ["custody.taken", "custody.returned"]
    assert unresolved(house) == []


def test_a_key_that_the_register_has_elsewhere_does_not_leave_unseen(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.sign()
    house.leave()
    house.enter("julien")
    house.lift("01")
    assert [line.item for line in house.screen.untapped] == ["K-1"]
    house.wait(50)
    house.close_door()
    last = house.entries()[-2]
    assert (last.type, last.data["person"], last.data["items"]) == (
        "cabinet.visit_unresolved",
        house.person("julien"),
        ["K-1"],
    )
    assert house.item("K-1").holder == house.person("nadia")


def test_a_door_or_a_hook_that_moves_without_a_visit_sounds_and_is_logged(house: House) -> None:
    house.open_door()
    house.lift("01")
    assert house.signals.heard[-2:] == ["error", "error"]
    assert house.rows("SELECT what FROM access_log") == [("door_forced",), ("hook_emptied:01",)]


def test_a_missed_pulse_is_given_again_to_the_same_badge_and_logged_before(house: House) -> None:
    house.badge("nadia")
    house.badge("nadia")
    assert house.door.pulses == 2
    assert house.rows("SELECT what FROM access_log") == [("opened_again",)]


def test_going_back_to_the_keys_after_the_door_was_shut_opens_it_again(house: House) -> None:
    house.enter("camille")
    house.press(ShowInventory())
    house.press(EnterPin(PIN))
    house.close_door()
    house.press(OpenCabinet())
    assert house.door.pulses == 2


def test_a_busy_database_refuses_and_does_not_stop_the_cabinet(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.store.database.BUSY_MS", 50)
    house.restart()
    with closing(sqlite3.connect(house.settings.database)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchall()
        house.badge("nadia")
        assert house.at(Step.IDLE)
        assert (house.notice, house.door.pulses) == ("StorageBusy", 0)
    house.badge("nadia")
    assert (house.step, house.door.pulses) == (Step.OPEN, 1)


def test_an_opening_that_took_too_long_to_record_gives_no_pulse(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = house.store.local.opened

    def slowly(opening: object) -> None:
        opened(opening)  # type: ignore[arg-type]  # passed on as it comes
        house.clock.advance(4)

    monkeypatch.setattr(type(house.store.local), "opened", lambda _, opening: slowly(opening))
    house.desk.report(Tap("desk", house.tag(BADGES["nadia"]), Tier.AUTHENTICATED))
    assert house.at(Step.IDLE)
    assert house.door.pulses == 0
    assert house.rows("SELECT count(*) FROM visits WHERE ended IS NULL") == [(0,)]


def test_cancelling_with_the_door_open_leads_back_to_the_keys(house: House) -> None:
    house.enter("nadia")
    house.press(Cancel())
    assert house.at(Step.OPEN)
