"""The stored subtrees: whatever way a journal has grown, they are those of its entries, and give every root and every path."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from kiosk.clock import SystemClock
from kiosk.domain.errors import StorageFailed
from kiosk.domain.events import DoorLeftOpen
from kiosk.domain.identifiers import PersonId, VisitId
from kiosk.ledger.merkle import frontier_at, inclusion_proof, leaf_hash, root_from_inclusion
from kiosk.services.commands import new_command
from kiosk.store.database import Database
from kiosk.store.journal import StoredJournal, found_journal
from kiosk.store.tables import CABINET, subtrees
from tests.attack.logs import Leaves
from tests.building import House
from tests.trees import subtrees_from_scratch, subtrees_of

KEY = ("armoire-8", "s")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "cabinet.db", CABINET, gapless=True)
    found_journal(database, *KEY)
    yield database
    database.close()


def act(journal: StoredJournal, count: int) -> None:
    """An act of so many entries."""
    with journal.act(new_command(), "operator") as act:
        for number in range(count):
            act.record(DoorLeftOpen(visit=VisitId(f"v-{number}"), person=PersonId("p")))


def the_same_twice(journal: StoredJournal) -> None:
    """An act that the database does not take, because it says the same of one thing twice."""
    with journal.act(new_command(), "operator") as act:
        for _ in range(2):
            act.record(DoorLeftOpen(visit=VisitId("v"), person=PersonId("p")))


@pytest.mark.parametrize(
    "acts", [(700,), (1,) * 40, (15, 1, 1, 15), (1, 15, 16, 17, 223, 256, 172), (255, 1, 255, 1, 188)], ids=str
)
def test_the_subtrees_that_are_stored_are_those_of_the_entries(database: Database, acts: Sequence[int]) -> None:
    journal = StoredJournal(database, SystemClock())
    for count in acts:
        act(journal, count)
        assert subtrees_of(database, KEY) == subtrees_from_scratch(journal.read(0, 1_000))


def test_an_act_that_fails_leaves_no_subtree_behind(database: Database) -> None:
    journal = StoredJournal(database, SystemClock())
    act(journal, 15)
    with pytest.raises(IntegrityError):
        the_same_twice(journal)
    assert subtrees_of(database, KEY) == set()
    act(journal, 1)
    assert subtrees_of(database, KEY) == subtrees_from_scratch(journal.read(0, 1_000))


def test_roots_and_paths_of_every_size_come_from_few_reads(database: Database) -> None:
    journal = StoredJournal(database, SystemClock())
    act(journal, 300)
    bodies = journal.read(0, 1_000)
    leaves = Leaves([leaf_hash(body) for body in bodies])
    for size in (1, 2, 15, 16, 17, 255, 256, 257, 299, 300):
        root = frontier_at(size, leaves).root()
        assert journal.frontier(size).root() == root
        for sequence in {1, size // 2 + 1, size}:
            path = journal.inclusion(sequence, size)
            assert path == inclusion_proof(sequence - 1, size, leaves)
            assert root_from_inclusion(leaf_hash(bodies[sequence - 1]), sequence - 1, size, path) == root


def test_beyond_its_end_a_journal_has_no_root(database: Database) -> None:
    journal = StoredJournal(database, SystemClock())
    act(journal, 20)
    with pytest.raises(StorageFailed):
        journal.frontier(21)


def test_a_tree_with_a_hole_in_it_is_told_as_a_failure_of_the_storage(database: Database) -> None:
    journal = StoredJournal(database, SystemClock())
    act(journal, 20)
    with database.write() as connection:
        connection.execute(delete(subtrees))
    with pytest.raises(StorageFailed, match="subtree 0 at level 4"):
        journal.frontier(20)


def test_a_cabinet_that_was_worked_with_has_the_subtrees_of_its_entries(house: House) -> None:
    house.take("nadia", "K-1", "K-17")
    house.give_back("nadia", "K-1", "K-17")
    journal = house.store.journal
    assert subtrees_of(journal._database, (journal.node, journal.stream)) == subtrees_from_scratch(house.bodies())
    assert journal.size() > 16
