"""The file itself: ours, of a version that we know, and as durable as an SD card allows."""

import os
import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kiosk.bootstrap import opened_store, reading_register
from kiosk.clock import SystemClock
from kiosk.config import read
from kiosk.domain.errors import ForeignDatabase, StorageFailed
from kiosk.domain.identifiers import ItemId
from kiosk.services.commands import new_command
from kiosk.services.ports import InventoryFilter
from kiosk.store.database import Database
from kiosk.store.tables import APPLICATION_ID, CABINET, HEADQUARTERS, USER_VERSION, entries
from tests.building import House


def a_database(path: Path) -> Database:
    return Database(f"sqlite:///{path}", CABINET, gapless=True)


def test_every_connection_has_the_pragmas_that_lose_nothing(tmp_path: Path) -> None:
    database = a_database(tmp_path / "one.db")
    wanted = {"journal_mode": "truncate", "synchronous": 3, "trusted_schema": 0, "busy_timeout": 10_000}
    try:
        for transaction in (database.read, database.write, database.read):
            with transaction() as connection:
                found = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in wanted}
            assert found == wanted
    finally:
        database.close()


def test_a_postgresql_server_that_falls_silent_is_given_up_within_some_ten_seconds(postgres_url: str) -> None:
    wanted = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3, socket.TCP_USER_TIMEOUT: 10_000}
    database = Database(postgres_url, HEADQUARTERS, gapless=False)
    try:
        with database.read() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            with socket.socket(fileno=os.dup(driver.fileno())) as wire:
                assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert {option: wire.getsockopt(socket.IPPROTO_TCP, option) for option in wanted} == wanted
    finally:
        database.close()


def test_several_headquarters_that_find_an_empty_database_make_its_tables_once(postgres_url: str) -> None:
    with ThreadPoolExecutor(8) as several:
        opened = [several.submit(Database, postgres_url, HEADQUARTERS, gapless=False) for _ in range(8)]
    for one in opened:
        one.result().close()


def test_a_file_of_ours_says_so_in_its_header(house: House) -> None:
    header = house.settings.database.read_bytes()[:100]
    assert int.from_bytes(header[68:72], "big") == APPLICATION_ID == int.from_bytes(b"TRSS", "big")
    assert int.from_bytes(header[60:64], "big") == USER_VERSION


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(ForeignDatabase):
        a_database(path)
    assert path.read_bytes() == before


def test_a_database_of_a_later_version_is_refused(house: House) -> None:
    house.close()
    with closing(sqlite3.connect(house.settings.database)) as connection:
        connection.execute(f"PRAGMA user_version = {USER_VERSION + 1}")
    with pytest.raises(ForeignDatabase) as refused, opened_store(house.settings, SystemClock()):
        raise AssertionError("opened")
    assert refused.value.values["version"] == USER_VERSION + 1
    with pytest.raises(ForeignDatabase), reading_register(house.settings):
        raise AssertionError("opened")


def test_what_is_no_database_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_bytes(b"Madame, Monsieur, " * 100)
    with pytest.raises(StorageFailed) as refused:
        a_database(path)
    assert refused.value.values == {"reason": "SQLITE_NOTADB"}


def test_a_folder_that_is_not_there_is_a_storage_failure(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed) as refused:
        a_database(tmp_path / "nowhere" / "one.db")
    assert refused.value.values == {"reason": "SQLITE_CANTOPEN"}


def test_tables_are_strict(tmp_path: Path) -> None:
    database = a_database(tmp_path / "one.db")
    try:
        with database.read() as connection:
            strict = connection.execute(text("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")).all()
        assert {name for name, is_strict in strict if not is_strict} == {"sqlite_schema"}
        assert len(strict) == len(CABINET) + 1
    finally:
        database.close()


def test_opening_twice_is_opening_once(tmp_path: Path) -> None:
    for _ in range(2):
        database = a_database(tmp_path / "one.db")
        database.close()


def write_and_fail(database: Database, row: dict[str, object]) -> None:
    with database.write() as connection:
        connection.execute(entries.insert(), [row])
        raise ZeroDivisionError


def test_a_transaction_that_writes_is_taken_back_by_an_exception(tmp_path: Path) -> None:
    database = a_database(tmp_path / "one.db")
    row = {"node": "n", "stream": "s", "sequence": 1, "command": "c", "subject": "x", "body": b"{}"}
    try:
        with pytest.raises(ZeroDivisionError):
            write_and_fail(database, row)
        with database.read() as connection:
            assert connection.execute(entries.select()).all() == []
    finally:
        database.close()


def test_the_register_can_be_read_beside_the_service_and_not_written(house: House) -> None:
    with reading_register(house.settings) as register:
        assert register.item(ItemId("K-1")) == house.item("K-1")
        house.take("nadia", "K-1")
        assert register.item(ItemId("K-1")) == house.item("K-1")
        with pytest.raises(StorageFailed), register._database.write() as connection:
            connection.execute(text("DELETE FROM items"))


@pytest.mark.parametrize(
    "name", ["a folder", "été à la clé", "100% sûr", "what?mode=rw", "a#b", "a&b=c", "%41", "x" * 150]
)
def test_the_register_can_be_read_wherever_its_folder_is(house: House, tmp_path: Path, name: str) -> None:
    house.close()
    moved = house.folder.rename(tmp_path / name)
    with reading_register(read(moved)) as register:
        assert register.inventory(InventoryFilter(), 1, 100).total == 7
    with opened_store(read(moved), SystemClock()) as store, store.journal.act(new_command(), "operator"):
        pass
    assert list(tmp_path.iterdir()) == [moved]


def test_a_writer_waits_for_another_of_its_process_longer_than_sqlite_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.store.database.BUSY_MS", 50)
    database = a_database(tmp_path / "one.db")
    folding, folded = threading.Event(), threading.Event()

    def fold_for_long() -> None:
        with database.write():
            folding.set()
            folded.wait(10)

    other = threading.Thread(target=fold_for_long)
    other.start()
    try:
        assert folding.wait(10)
        threading.Timer(0.5, folded.set).start()
        with database.write() as connection:
            connection.execute(text("DELETE FROM meta"))
    finally:
        folded.set()
        other.join()
        database.close()


def test_an_error_of_the_database_does_not_tell_what_was_written(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db", CABINET, gapless=True)
    with pytest.raises(IntegrityError) as refused, database.write() as connection:
        connection.execute(text("INSERT INTO entries (node) VALUES (:node)"), {"node": "secret"})
    database.close()
    assert "secret" not in str(refused.value)
