"""The fold: the same entries come to the same register, however little is remembered and however often it is written."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, Table

from kiosk.domain.events import ClientRegistered, Event, TakenUnsigned
from kiosk.domain.fold import Line, Moment
from kiosk.domain.identifiers import ClientId, Digest, ItemId, PersonId, Timestamp, VisitId
from kiosk.domain.people import Tier
from kiosk.services.commands import new_command
from kiosk.store import journal as journal_module
from kiosk.store import register as register_module
from kiosk.store.database import Database
from kiosk.store.register import Fold, LineName, Lines
from kiosk.store.tables import LINES
from kiosk.store.writing import upsert
from tests.building import NODE, House, no_progress

KEY = ItemId("K-1")
SOMEBODY = PersonId("p042")
NOON = Moment(Timestamp("2026-11-23T12:00:00.000Z"), doubtful=False)
EVENING = Moment(Timestamp("2026-11-23T18:00:00.000Z"), doubtful=True)


def taken(item: str = KEY, by: PersonId = SOMEBODY) -> Event:
    return TakenUnsigned(
        item=ItemId(item), person=by, visit=VisitId("v"), tier=Tier.AUTHENTICATED, tapped=True, sensed=True
    )


def every_line(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """The register's tables as they lie in the file, not only what people are shown."""
    names = [table.name for table in LINES.values()]
    return {name: sorted(house.rows(f"SELECT * FROM {name}"), key=repr) for name in names}


def lose_the_register(house: House) -> None:
    with closing(sqlite3.connect(house.settings.database)) as connection, connection:
        for table in LINES.values():
            connection.execute(f"DELETE FROM {table.name}")


def live_a_day(house: House) -> None:
    """Something of every kind: taken, brought back, not signed for, and a clock that cannot be believed."""
    house.take("nadia", "K-1", "K-2")
    house.give_back("nadia", "K-2")
    house.enter("julien")
    house.lift("03")
    house.wait(50)


def database_of(house: House) -> Database:
    return house.store.journal._database


def bound(monkeypatch: pytest.MonkeyPatch, *, page: int, pending: int, remembered: int) -> None:
    monkeypatch.setattr(journal_module, "PAGE", page)
    monkeypatch.setattr(register_module, "PENDING", pending)
    monkeypatch.setattr(register_module, "REMEMBERED", remembered)


def read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: Connection, name: LineName) -> Line | None:
        raise AssertionError(f"{name} was read")

    monkeypatch.setattr(register_module, "_read", read)


def writing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines are written at a time, from now on."""
    written: list[int] = []

    def counted(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        written.append(len(rows))
        upsert(connection, table, rows)

    monkeypatch.setattr(register_module, "upsert", counted)
    return written


@pytest.mark.parametrize(("page", "pending", "remembered"), [(1, 1, 1), (2, 3, 2), (7, 1, 1_000), (1_000, 1_000, 1)])
def test_a_refold_comes_to_every_line_again_however_little_is_remembered(
    house: House, monkeypatch: pytest.MonkeyPatch, page: int, pending: int, remembered: int
) -> None:
    live_a_day(house)
    before = every_line(house)
    assert all(before.values())
    lose_the_register(house)
    bound(monkeypatch, page=page, pending=pending, remembered=remembered)
    house.store.journal.refold(no_progress)
    assert every_line(house) == before


def test_a_refold_tells_after_each_page_how_far_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    size = house.size
    monkeypatch.setattr(journal_module, "PAGE", 4)
    told: list[tuple[int, int]] = []
    house.store.journal.refold(lambda done, total: told.append((done, total)))
    assert told == [(min(done, size), size) for done in range(4, size + 4, 4)]


def test_a_refold_writes_lines_once_when_they_are_few_and_in_between_when_they_are_many(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_a_day(house)
    written = writing(monkeypatch)
    house.store.journal.refold(no_progress)
    assert len(written) == len(LINES)
    lines, most = sum(written), max(written)
    written.clear()
    bound(monkeypatch, page=1, pending=3, remembered=1_000)
    house.store.journal.refold(no_progress)
    assert max(written) <= 3 < most
    assert sum(written) >= lines


def test_a_refold_reads_no_line_while_all_are_remembered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    live_a_day(house)
    read_nothing(monkeypatch)
    house.store.journal.refold(no_progress)


def test_a_refold_that_meets_data_of_another_form_leaves_the_register_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "event_data", lambda _: {"client": 7})
    with house.store.journal.act(new_command(), "operator") as act:
        act.record(ClientRegistered(client=ClientId("c900"), profile=Digest("0" * 64)))
    before = every_line(house)
    bound(monkeypatch, page=1, pending=1, remembered=1)
    with pytest.raises(msgspec.ValidationError):
        house.store.journal.refold(no_progress)
    assert every_line(house) == before


# ---- lines that are remembered from one fold to the next


def test_lines_that_are_handed_on_are_not_read_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    with database_of(house).write() as connection:
        fold = Fold(connection, NODE, lines)
        fold.apply(taken(), NOON)
        assert fold.item(ItemId("nothing")) is None
        fold.flush()
    read_nothing(monkeypatch)
    with database_of(house).write() as connection:
        fold = Fold(connection, NODE, lines)
        assert fold.item(KEY) == house.item(KEY)
        assert fold.item(ItemId("nothing")) is None
        fold.apply(taken(by=PersonId("p043")), EVENING)
        fold.flush()
    assert (house.item(KEY).holder, house.item(KEY).clock_doubtful) == ("p043", True)


def fold_and_fail(house: House, lines: Lines) -> None:
    with database_of(house).write() as connection:
        fold = Fold(connection, NODE, lines)
        fold.apply(taken(), NOON)
        fold.flush()
        raise ZeroDivisionError


def test_lines_of_a_transaction_that_failed_are_forgotten_and_read_anew(house: House) -> None:
    lines = Lines()
    with pytest.raises(ZeroDivisionError):
        fold_and_fail(house, lines)
    lines.forget()
    with database_of(house).read() as connection:
        assert Fold(connection, NODE, lines).item(KEY) == house.item(KEY)
    assert house.item(KEY).holder is None


def test_a_change_that_was_not_written_is_not_handed_on(house: House) -> None:
    lines = Lines()
    with database_of(house).read() as connection:
        fold = Fold(connection, NODE, lines)
        fold.apply(taken(), NOON)
        assert fold.item(KEY) != house.item(KEY)
        assert Fold(connection, NODE, lines).item(KEY) == house.item(KEY)


def test_lines_of_two_cabinets_are_kept_apart(house: House) -> None:
    lines = Lines()
    with database_of(house).read() as connection:
        assert Fold(connection, NODE, lines).item(KEY) is not None
        assert Fold(connection, "armoire-8", lines).item(KEY) is None
        assert Fold(connection, NODE, lines).item(KEY) == house.item(KEY)


def test_no_more_lines_are_remembered_than_there_is_room_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_module, "REMEMBERED", 3)
    lines = Lines()
    with database_of(house).read() as connection:
        fold = Fold(connection, NODE, lines)
        for name in ("K-1", "K-2", "K-3", "K-17", "K-1"):
            assert fold.item(ItemId(name)) == house.item(name)
            assert len(lines._lines) <= 3


def test_what_waits_to_be_written_is_not_crowded_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_module, "REMEMBERED", 1)
    with database_of(house).write() as connection:
        fold = Fold(connection, NODE)
        for name in ("K-1", "K-2", "K-3"):
            fold.apply(taken(name), NOON)
        first = fold.item(KEY)
        assert first is not None
        assert first.holder == SOMEBODY
        fold.flush()
    assert [house.item(name).holder for name in ("K-1", "K-2", "K-3")] == [SOMEBODY] * 3
