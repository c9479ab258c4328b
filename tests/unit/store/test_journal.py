"""The journal: appended whole or not at all, never changed, and folded into a register that can be made anew."""

import hashlib
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from kiosk.clock import SystemClock
from kiosk.domain.errors import NotInitialised, WriterBusy
from kiosk.domain.events import BadgeRevoked, ClientRegistered, Event
from kiosk.domain.identifiers import ClientId, Digest, ItemId, TagId
from kiosk.services.codec import profile
from kiosk.services.commands import following, new_command
from kiosk.store import journal as journal_module
from kiosk.store.database import Database, one_writer
from kiosk.store.journal import StoredJournal, found_journal
from kiosk.store.tables import CABINET
from tests.building import House, chain_holds, no_progress, refolds_to_itself, register_of

ROOT = Path(__file__).parents[3]
TAMPERING = {
    "an update": "UPDATE entries SET body = x'00' WHERE sequence = 3",
    "an update that changes nothing": "UPDATE entries SET subject = subject",
    "a deletion": "DELETE FROM entries WHERE sequence = 3",
    "a deletion of the last": "DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)",
    "a deletion of all": "DELETE FROM entries",
    "a replacement": "INSERT OR REPLACE INTO entries SELECT node, stream, 3, 'c', 's', x'00' FROM entries LIMIT 1",
    "a replacement by command": "INSERT OR REPLACE INTO entries SELECT node, stream, 3, command, subject, x'00' FROM entries",
    "an upsert": "INSERT INTO entries SELECT node, stream, 3, 'c', 's', x'00' FROM entries WHERE sequence = 3 "
    "ON CONFLICT DO UPDATE SET body = x'00'",
    "a gap": "INSERT INTO entries SELECT node, stream, max(sequence) + 2, 'c', 's', x'00' FROM entries",
    "a second one in the past": "INSERT INTO entries SELECT node, stream, 3, 'c', 's', x'00' FROM entries LIMIT 1",
    "a number below the first": "INSERT INTO entries SELECT node, stream, 0, 'c', 's', x'00' FROM entries LIMIT 1",
    "a gap at the beginning of another stream": "INSERT INTO entries SELECT node, 'other', 2, 'c', 's', x'00' FROM entries LIMIT 1",
    "text instead of bytes": "INSERT INTO entries SELECT node, stream, max(sequence) + 1, 'c', 's', 'x' FROM entries",
    "the same command and subject": "INSERT INTO entries SELECT node, stream, (SELECT max(sequence) + 1 FROM entries), "
    "command, subject, x'00' FROM entries WHERE sequence = 3",
}


@pytest.mark.parametrize("what", TAMPERING)
def test_the_journal_is_append_only(house: House, what: str) -> None:
    before = house.bodies()
    with closing(sqlite3.connect(house.settings.database)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(TAMPERING[what])
    assert house.bodies() == before


def a_client(number: int) -> ClientRegistered:
    return ClientRegistered(client=ClientId(f"c{number:03d}"), profile=Digest("0" * 64))


def record(house: House, *events: Event) -> None:
    with house.store.journal.act(new_command(), "operator") as act:
        for event in events:
            act.record(event)


def test_the_same_command_twice_records_once_and_tells_what_it_recorded(house: House) -> None:
    command = new_command()
    receipts = []
    for _ in range(3):
        with house.store.journal.act(command, "operator") as act:
            if not act.done:
                act.record(a_client(900))
                act.record(a_client(901))
        receipts.append([(one.sequence, one.subject, one.digest, one.time) for one in act.recorded])
    assert receipts[0] == receipts[1] == receipts[2]
    assert [entry.subject for entry in house.entries()[-2:]] == ["c900", "c901"]
    assert chain_holds(house.bodies())


def test_one_command_cannot_record_one_subject_twice(house: House) -> None:
    size = house.size
    with pytest.raises(IntegrityError):
        record(house, a_client(900), a_client(900))
    assert house.size == size
    assert house.store.register.client(ClientId("c900")) is None


def fail_in_the_middle(house: House) -> None:
    with house.store.journal.act(new_command(), "operator") as act:
        act.record(ClientRegistered(client=ClientId("c900"), profile=act.keep(b"a secret")))
        assert act.lines.client(ClientId("c900")) is not None  # within the act it is there
        raise ZeroDivisionError


def test_an_act_that_fails_leaves_nothing_behind_not_even_its_documents(house: House) -> None:
    size, lines, documents = house.size, register_of(house.store), house.rows("SELECT digest FROM documents")
    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle(house)
    assert (house.size, register_of(house.store)) == (size, lines)
    assert house.rows("SELECT digest FROM documents") == documents
    assert house.store.register.client(ClientId("c900")) is None
    house.take("nadia", "K-1")
    assert chain_holds(house.bodies())


def test_a_fold_that_fails_takes_its_entry_back(house: House) -> None:
    size = house.size
    with pytest.raises(TypeError):
        record(house, BadgeRevoked(badge=TagId("f" * 64)))  # nobody was ever given this badge
    assert house.size == size


def test_documents_are_salted_content_addressed_and_read_back(house: House) -> None:
    with house.store.journal.act(new_command(), "operator") as act:
        first, second = act.keep(b"the same"), act.keep(b"the same")
        act.record(ClientRegistered(client=ClientId("c900"), profile=first))
    assert first != second  # or one could guess a name and look for its digest
    for name in (first, second):
        kept = house.store.journal.document(name)
        assert kept is not None
        assert (len(kept), kept[32:]) == (32 + 8, b"the same")
        assert hashlib.sha256(kept).hexdigest() == name
    assert house.store.journal.document(Digest("0" * 64)) is None


def test_a_listener_hears_of_each_commit_after_it_and_of_nothing_else(house: House) -> None:
    heard: list[int] = []
    house.store.journal.committed = lambda: heard.append(house.size)
    size, command = house.size, new_command()
    for _ in range(2):
        with house.store.journal.act(command, "operator") as act:
            if not act.done:
                act.record(a_client(900))
    with house.store.journal.act(new_command(), "operator"):
        pass
    with pytest.raises(ZeroDivisionError), house.store.journal.act(new_command(), "operator"):
        raise ZeroDivisionError
    assert heard[0] == size + 1
    assert len(heard) <= 2  # a command that was recorded before may wake the relay once more


def test_two_threads_that_append_a_hundred_each_lose_none_and_stay_chained(house: House) -> None:
    size = house.size
    failed: list[Exception] = []

    def append(first: int) -> None:
        try:
            for number in range(first, first + 100):
                with house.store.journal.act(new_command(), "operator") as act:
                    act.record(a_client(number))
        except Exception as e:
            failed.append(e)

    threads = [threading.Thread(target=append, args=(first,)) for first in (1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert house.size == size + 200
    assert {entry.subject for entry in house.entries(size)} == {
        f"c{number}" for first in (1000, 2000) for number in range(first, first + 100)
    }
    assert chain_holds(house.bodies())
    assert refolds_to_itself(house.store)


def test_reading_goes_on_beside_a_writer(house: House) -> None:
    with house.store.journal.act(new_command(), "operator") as act:
        act.record(a_client(900))
        assert house.store.register.item(ItemId("K-1")) is not None
        assert house.store.register.client(ClientId("c900")) is None  # not before it is committed
        assert len(house.store.journal.read(0, 1000)) == house.size
    assert house.store.register.client(ClientId("c900")) is not None


def test_pages_of_entries_come_in_order(house: House) -> None:
    bodies = house.bodies()
    assert house.store.journal.read(0, 3) == bodies[:3]
    assert house.store.journal.read(3, 4) == bodies[3:7]
    assert house.store.journal.read(len(bodies), 10) == []


def test_a_refold_brings_back_a_register_that_was_lost(house: House) -> None:
    house.take("nadia", "K-1", "K-2")
    house.give_back("nadia", "K-2")
    house.enter("julien")
    house.lift("03")
    house.wait(50)
    before = register_of(house.store)
    with closing(sqlite3.connect(house.settings.database)) as connection, connection:
        for table in ("clients", "sites", "persons", "badges", "items"):
            connection.execute(f"DELETE FROM {table}")
    assert register_of(house.store) == []
    told: list[tuple[int, int]] = []
    assert house.store.journal.refold(lambda done, total: told.append((done, total))) == house.size
    assert register_of(house.store) == before
    assert told[-1] == (house.size, house.size)


def test_a_refold_passes_over_a_type_that_only_a_later_version_knows(house: House) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "event_data", lambda event: {"thing": "x"})
        patch.setattr(ClientRegistered, "type", "custody.teleported")
        with house.store.journal.act(new_command(), "operator") as act:
            act.record(a_client(900))
    assert house.types()[-1] == "custody.teleported"
    house.store.journal.refold(no_progress)
    assert house.store.register.client(ClientId("c900")) is None
    assert house.store.register.item(ItemId("K-1")) is not None


MOVES = st.lists(
    st.tuples(st.sampled_from(["nadia", "julien"]), st.sampled_from(["K-1", "K-2", "K-17"]), st.booleans()), max_size=5
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_whatever_people_do_the_register_is_what_the_journal_folds_to(
    house: House, moves: list[tuple[str, str, bool]]
) -> None:
    for who, key, signs in moves:
        house.badge(who)
        if house.basket:
            house.sign()  # what they owe
        house.open_door()
        house.key(key)
        if signs and house.basket:
            house.sign()
        house.close_door()
        house.wait(80)
    assert chain_holds(house.bodies())
    assert refolds_to_itself(house.store)


# ---- one process writes


def test_a_second_writer_is_refused_in_the_same_process_too(house: House) -> None:
    with pytest.raises(WriterBusy) as refused, one_writer(house.folder / "writer.lock"):
        raise AssertionError("two writers")
    assert refused.value.values == {"folder": str(house.folder)}


HOLDER = """
import sys
import time
from pathlib import Path

from kiosk.store.database import one_writer

with one_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_right_to_write_comes_back_when_its_holder_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "writer.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, lock], stdout=subprocess.PIPE, cwd=ROOT) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(WriterBusy), one_writer(lock):
                raise AssertionError("two writers")
        finally:
            holder.kill()
    with one_writer(lock):
        pass


def test_a_journal_that_was_never_founded_is_not_opened(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}", CABINET, gapless=True)
    try:
        with pytest.raises(NotInitialised):
            StoredJournal(database, SystemClock())
        found_journal(database, "armoire-8", "s")
        assert StoredJournal(database, SystemClock()).size() == 0
    finally:
        database.close()


def test_commands_sort_by_time_and_what_follows_from_a_cause_is_always_the_same() -> None:
    made = [new_command() for _ in range(50)]
    assert len(set(made)) == 50
    assert [command[14] for command in made] == ["7"] * 50
    assert following("visit", "door") == following("visit", "door") != following("visit", "unresolved")


def test_a_profile_is_never_in_the_ledger(house: House) -> None:
    with house.store.journal.act(new_command(), "operator") as act:
        act.record(ClientRegistered(client=ClientId("c900"), profile=act.keep(profile(name="Sœurs Dupont"))))
    assert not any(b"Dupont" in body for body in house.bodies())
