"""What headquarters' database makes of entries, however they arrive. SQLite and PostgreSQL alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import NoResultFound

from kiosk.domain import events
from kiosk.domain.access_means import Kind, State
from kiosk.domain.identifiers import ClientId, Digest, ItemId, PersonId, SiteId
from kiosk.ledger.entry import NO_ENTRY, digest, seal
from kiosk.ledger.merkle import leaf_hash, root_at
from kiosk.store.central import CentralStore, digest_of, newest
from kiosk.store.database import Database
from kiosk.store.stream import AHEAD, LARGEST_AHEAD, Misfit, Sealed, StaleMemory, Stored, Stream
from kiosk.store.tree import StoredTree
from tests.attack.logs import Leaves
from tests.integration.hq.parts import (
    NADIA,
    NODE,
    STREAM,
    SigningStore,
    a_chain,
    a_head,
    an_entry,
    let_in,
    log_key,
    register_of,
    stored,
)
from tests.trees import subtrees_from_scratch, subtrees_of

KEY = (NODE, STREAM)


@pytest.fixture
def store(central: Database) -> CentralStore:
    for node in (NODE, "cabinet-1", "cabinet-2"):
        log_key(node)
    let_in(central)
    return SigningStore(central)


def size(done: Stored) -> int:
    """How far the journal is complete."""
    return done.answers[KEY].size


def bodies(chain: Sequence[Sealed]) -> list[bytes]:
    return [sealed.body for sealed in chain]


def test_entries_in_order_advance_the_prefix(store: CentralStore, central: Database) -> None:
    chain = a_chain(20)
    done = store.store(chain)
    assert (size(done), done.advanced) == (20, 20)
    assert stored(central) == bodies(chain)


def test_the_same_batch_twice_leaves_the_same_database(store: CentralStore, central: Database) -> None:
    chain = a_chain(20)
    store.store(chain)
    again = store.store(chain)
    assert (size(again), again.advanced, again.misfits) == (20, 0, [])
    assert stored(central) == bodies(chain)


def test_the_prefix_waits_for_a_gap_and_then_takes_what_came_before_it(store: CentralStore, central: Database) -> None:
    chain = a_chain(6)
    ahead = store.store([chain[4], chain[1], chain[5]])
    assert (size(ahead), ahead.misfits) == (0, [])
    assert stored(central) == [], "only what follows is stored"
    assert size(store.store([chain[0]])) == 2
    assert size(store.store([chain[3], chain[2]])) == 6
    assert stored(central) == bodies(chain)


def test_of_what_comes_before_its_turn_only_so_much_waits_and_the_rest_comes_again(store: CentralStore) -> None:
    chain = a_chain(AHEAD + 203)
    for start in range(1, len(chain), 500):
        assert size(store.store(chain[start : start + 500])) == 0
    assert size(store.store(chain[:1], [a_head(chain, AHEAD)])) == AHEAD
    assert size(store.store(chain[AHEAD:])) == len(chain)


def test_when_a_batch_fails_nothing_of_it_is_believed_and_what_waited_before_it_still_waits(
    store: CentralStore, central: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = a_chain(4)
    store.store(chain[1:])
    with monkeypatch.context() as patch:
        patch.setattr(Stream, "confirm", lambda *_: cut_short())
        with pytest.raises(ZeroDivisionError):
            store.store(chain[:1])
    assert stored(central) == []
    assert size(store.store(chain[:1])) == 4
    assert stored(central) == bodies(chain)


def test_what_waits_takes_only_so_much_memory_and_what_is_nearest_stays(store: CentralStore) -> None:
    chain, large = a_chain(20), a_chain(0)
    for number in range(2, 200):
        large.append(an_entry(number, "f" * 64, "cabinet.unheard_of", {"a": "x" * 60_000}))
    for start in range(0, len(large), 10):
        store.store(large[start : start + 10])
    waiting = [one for candidates in store._streams[KEY]._ahead.values() for one in candidates.values()]
    assert 0 < sum(len(sealed.body) for sealed in waiting) <= LARGEST_AHEAD
    assert max(sealed.entry.sequence for sealed in waiting) < 20
    assert size(store.store(chain, [a_head(chain)])) == 20


def cut_short() -> None:
    """Something that nobody thought of."""
    raise ZeroDivisionError


def test_other_bytes_under_the_same_key_are_reported_and_change_nothing(store: CentralStore, central: Database) -> None:
    chain, fork = a_chain(5), a_chain(5, fork="other-")
    store.store(chain)
    done = store.store([fork[2]])
    assert done.misfits == [Misfit(fork[2], "altered")]
    assert size(done) == 5
    assert stored(central) == bodies(chain)


def test_other_bytes_in_the_same_batch_are_reported_too(store: CentralStore, central: Database) -> None:
    chain, fork = a_chain(2), a_chain(2, fork="other-")
    done = store.store([chain[0], fork[0], chain[1]])
    assert done.misfits == [Misfit(fork[0], "altered")]
    assert size(done) == 2
    assert stored(central) == bodies(chain)


def test_an_entry_that_does_not_follow_its_predecessor_stops_the_prefix(store: CentralStore, central: Database) -> None:
    chain, fork = a_chain(5), a_chain(5, fork="other-")
    done = store.store([*chain[:3], fork[3]])
    assert done.misfits == [Misfit(fork[3], "broken")]
    assert size(done) == 3
    assert stored(central) == bodies(chain[:3])
    assert size(store.store(chain[3:])) == 5, "the right one has its place still"


def test_an_entry_that_waited_in_vain_is_reported_when_its_turn_comes(store: CentralStore) -> None:
    chain, fork = a_chain(3), a_chain(3, fork="other-")
    assert store.store([fork[2]]).misfits == []
    done = store.store(chain[:2])
    assert done.misfits == [Misfit(fork[2], "broken")]
    assert size(done) == 2


def test_a_second_entry_for_the_same_command_and_subject_has_no_place(store: CentralStore, central: Database) -> None:
    first = an_entry(1, NO_ENTRY, "cabinet.unheard_of", {})
    second = _with_command(an_entry(2, digest(first.body), "cabinet.unheard_of", {}), first.entry.command)
    store.store([second])
    with pytest.raises(StaleMemory):
        store.store([first])
    assert stored(central) == []
    store.forget(KEY)
    assert size(store.store([first])) == 1
    assert stored(central) == [first.body]


def _with_command(sealed: Sealed, command: str) -> Sealed:
    entry = replace(sealed.entry, command=command)
    return Sealed(entry, seal(entry))


def test_a_journal_that_nobody_has_let_in_has_no_place(store: CentralStore, central: Database) -> None:
    with pytest.raises(NoResultFound):
        store.store(a_chain(1, node="a-stranger"))
    assert stored(central, "a-stranger") == []


def test_beside_another_writer_a_batch_fails_whole_and_the_next_goes_on_from_what_there_is(
    store: CentralStore, central: Database
) -> None:
    chain, other = a_chain(12), SigningStore(central)
    store.store(chain[:5])
    other.store(chain[:10])
    with pytest.raises(StaleMemory):
        store.store(chain[5:12])
    assert stored(central) == bodies(chain[:10])
    assert size(store.store(chain[5:12])) == 12
    assert stored(central) == bodies(chain)


@pytest.mark.parametrize("steps", [(700,), (1, 15, 16, 17, 223, 256, 172), (255, 1, 255, 1, 188)])
def test_the_subtrees_that_are_stored_are_those_of_the_entries(
    store: CentralStore, central: Database, steps: Sequence[int]
) -> None:
    chain, done = a_chain(700), 0
    for step in steps:
        store.store(chain[done : done + step])
        done += step
        assert subtrees_of(central, KEY) == subtrees_from_scratch(bodies(chain[:done]))
    with central.read() as connection:
        tree = StoredTree(connection, *KEY)
        leaves = Leaves([leaf_hash(body) for body in bodies(chain)])
        assert all(root_at(size, tree) == root_at(size, leaves) for size in (0, 1, 15, 16, 17, 255, 256, 511, 699, 700))


def test_a_type_from_the_future_is_stored_acknowledged_and_passed_over(store: CentralStore, central: Database) -> None:
    future = an_entry(1, NO_ENTRY, "custody.teleported", {"item": "i-1", "signature": "a" * 64})
    after = an_entry(2, digest(future.body), "cabinet.door_left_open", {"visit": "v", "person": "p"})
    done = store.store([future, after])
    assert size(done) == 2
    assert (done.unfolded, done.misfits) == ([], [])
    assert store.missing([NODE], 10) == [(NODE, "a" * 64)]
    assert all(not lines for lines in register_of(central).values())


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("custody.taken_unsigned", {"item": "nobody-knows-it"}),
        (
            "custody.taken_unsigned",
            {"item": "i", "person": "p", "visit": "v", "tier": "authenticated", "tapped": True, "sensed": True},
        ),
        ("register.item_received", {"item": ["a", "list"]}),
        ("register.client_registered", {"client": "c", "profile": {"not": "a digest"}}),
    ],
)
def test_an_entry_that_cannot_be_folded_keeps_its_place_and_is_reported(
    store: CentralStore, type_: str, data: dict[str, Any]
) -> None:
    ill = an_entry(1, NO_ENTRY, type_, data)
    after = an_entry(2, digest(ill.body), "cabinet.door_left_open", {"visit": "v", "person": "p"})
    done = store.store([ill, after])
    assert size(done) == 2
    assert done.unfolded == [ill.entry]


def test_a_document_is_wanted_until_it_is_kept_and_not_again(store: CentralStore) -> None:
    content = bytes(32) + b"a name"
    name = digest_of(content)
    client = events.ClientRegistered(client=ClientId("c"), profile=name)
    chain = a_chain(2, client, events.ClientRegistered(client=ClientId("d"), profile=name))
    done = store.store(chain[:1])
    assert store.lacking(done.named) == store.missing([NODE], 10) == [(NODE, name)]
    store.keep({name: content})
    assert store.missing([NODE], 10) == []
    assert store.lacking(store.store(chain[1:]).named) == []
    assert store.missing([NODE], 10) == []


def test_documents_of_other_cabinets_are_not_asked_of_this_one(store: CentralStore) -> None:
    client = events.ClientRegistered(client=ClientId("c"), profile=Digest("a" * 64))
    store.store(a_chain(1, client))
    assert store.missing(["another"], 10) == []


def test_the_missing_documents_of_one_cabinet_hide_nobody_elses(store: CentralStore) -> None:
    many = [events.ClientRegistered(client=ClientId(f"c-{n}"), profile=Digest(f"{n:064x}")) for n in range(5)]
    one = events.ClientRegistered(client=ClientId("c"), profile=Digest("a" * 64))
    store.store(a_chain(5, *many, node="cabinet-1"))
    store.store(a_chain(1, one, node="cabinet-2"))
    assert sorted(store.missing(["cabinet-1", "cabinet-2"], 2)) == [
        ("cabinet-1", f"{3:064x}"),
        ("cabinet-1", f"{4:064x}"),
        ("cabinet-2", "a" * 64),
    ]


def test_the_newest_entries_of_all_cabinets_come_first(store: CentralStore, central: Database) -> None:
    one, two = a_chain(5, node="cabinet-1"), a_chain(3, node="cabinet-2")
    store.store(one[:4])
    store.store(two)
    store.store(one[4:])
    found = [(entry.node, entry.sequence) for entry in newest(central, 4)]
    assert found == [("cabinet-1", 5), ("cabinet-1", 4), ("cabinet-1", 3), ("cabinet-2", 3)]


def test_the_fold_of_two_cabinets_stays_apart(store: CentralStore, central: Database) -> None:
    received = events.ItemReceived(
        item=ItemId("i-1"),
        client=ClientId("c"),
        site=SiteId("s"),
        kind=Kind.BADGE,
        received="2026-01-05",
        in_charge=NADIA,
        state=State.IN_SERVICE,
        profile=Digest("0" * 64),
    )
    lost = events.PersonEnrolled(person=PersonId("p"), roles=(), profile=Digest("0" * 64))
    store.store([*a_chain(1, received, node="cabinet-1"), *a_chain(1, lost, node="cabinet-2")])
    assert [len(register_of(central, node)["items"]) for node in ("cabinet-1", "cabinet-2")] == [1, 0]
