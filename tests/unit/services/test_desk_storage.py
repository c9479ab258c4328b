"""When the disk takes no more, the cabinet stops: no record, no opening."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest
from sqlalchemy import Connection, Engine, event

from kiosk.domain.errors import OutOfService
from kiosk.services.front import Cancel, EnterPin, Sign, Step, StillHere
from tests.building import PIN, SIGNATURE, House


@contextmanager
def full_disk(house: House) -> Iterator[None]:
    """No file of the database can grow, and nothing is left to fill in it."""

    def cap(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite takes the present size for the least

    event.listen(Engine, "begin", cap)
    try:
        with closing(sqlite3.connect(house.settings.database, isolation_level=None)) as filler:
            filler.execute("PRAGMA max_page_count = 1")
            fill_up(filler)
        yield
    finally:
        event.remove(Engine, "begin", cap)


def fill_up(filler: sqlite3.Connection) -> None:
    """Rows into every table that an opening or a tap writes to, large ones first, until not the smallest fits."""
    for text in ("x" * 200, "x"):
        until_full(filler, f"INSERT INTO visits VALUES (hex(randomblob(16)), 'p', '{text}', '', '[]', '[]', '')")
        until_full(filler, f"INSERT INTO access_log (at, what) VALUES ('', '{text}')")


def until_full(filler: sqlite3.Connection, insert: str) -> None:
    while True:
        try:
            filler.execute(insert)
        except sqlite3.OperationalError as e:
            if e.sqlite_errorname == "SQLITE_FULL":
                return
            raise


@contextmanager
def taken_away(house: House) -> Iterator[None]:
    """The file is not where it was any more; SQLite refuses to write to a file that nobody would find again."""
    there, elsewhere = house.settings.database, house.folder / "elsewhere.db"
    there.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(there)


def is_stopped(house: House) -> bool:
    return (house.step, house.notice, house.screen.token) == (Step.OUT_OF_SERVICE, "StorageFailed", "")


Disaster = Callable[[House], AbstractContextManager[None]]
DISASTERS: list[Disaster] = [full_disk, taken_away]


@pytest.mark.parametrize("disaster", DISASTERS)
def test_an_opening_that_is_not_kept_opens_nothing(house: House, disaster: Disaster) -> None:
    with disaster(house):
        house.badge("nadia")
    assert is_stopped(house)
    assert house.door.pulses == 0
    assert house.signals.heard == ["error"]


@pytest.mark.parametrize("disaster", DISASTERS)
def test_a_signature_that_is_not_kept_is_not_accepted(house: House, disaster: Disaster) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.signals.heard.clear()
    press = Sign(SIGNATURE, house.statement())
    with disaster(house), pytest.raises(OutOfService):
        house.press(press)
    assert is_stopped(house)
    assert house.signals.heard == ["error"]
    assert house.size == size


@pytest.mark.parametrize("disaster", DISASTERS)
def test_a_wrong_pin_that_is_not_kept_is_no_further_try(house: House, disaster: Disaster) -> None:
    house.badge("thomas")
    with disaster(house), pytest.raises(OutOfService):
        house.press(EnterPin("9999"))
    assert is_stopped(house)


def test_a_tap_that_is_not_logged_stops_the_cabinet_too(house: House) -> None:
    with full_disk(house):
        house.badge("rosa")
        house.badge("nadia")
    assert is_stopped(house)
    assert house.door.pulses == 0


def test_out_of_service_lasts_until_a_restart_even_with_room_again(house: House) -> None:
    with full_disk(house):
        house.badge("nadia")
    house.badge("nadia")
    house.key("K-1")
    house.desk.resume()
    house.desk.tick()
    assert is_stopped(house)
    for press in (Cancel(), StillHere(), EnterPin(PIN)):
        with pytest.raises(OutOfService):
            house.press(press)
    house.wait(3600)
    house.desk.tick()
    assert is_stopped(house)
    assert house.desk.next_tick is None  # or the desk's thread would wake for ever
    assert house.door.pulses == 0


def test_after_a_restart_with_room_the_visit_that_was_cut_short_is_resolved(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    press = Sign(SIGNATURE, house.statement())
    with full_disk(house), pytest.raises(OutOfService):
        house.press(press)
    house.restart()
    assert house.at(Step.IDLE)
    assert house.custody("K-1") == ["custody.taken_unsigned"]
    house.close_door()
    house.badge("nadia")
    house.sign()
    assert house.custody("K-1") == ["custody.taken_unsigned", "custody.take_signed"]


def test_the_error_names_what_sqlite_said(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), full_disk(house):
        house.badge("nadia")
    assert house.screen.notice is not None
    assert house.screen.notice.values == {"reason": "SQLITE_FULL"}
    [said] = [record for record in caplog.records if record.name == "kiosk.services.desk"]
    assert said.exc_info is not None


def test_an_error_that_nobody_thought_of_stops_the_cabinet_too(house: House) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    house.door.before = broken
    house.badge("nadia")
    assert (house.step, house.notice, house.signals.heard) == (Step.OUT_OF_SERVICE, "OutOfService", ["error"])
