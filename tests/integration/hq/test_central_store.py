"""What headquarters' database makes of entries, however they arrive. SQLite and PostgreSQL alike."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.domain import events
from kiosk.domain.access_means import Kind, State
from kiosk.domain.identifiers import ClientId, Digest, ItemId, PersonId, SiteId
from kiosk.ledger.entry import NO_ENTRY, digest, seal
from kiosk.store.central import CENTRAL, CentralStore, digest_of, newest
from kiosk.store.database import Database
from kiosk.store.prefix import Sealed
from tests.integration.hq.parts import NADIA, NODE, STREAM, a_chain, an_entry, register_of, stored

KEY = (NODE, STREAM)


@pytest.fixture
def store(central: Database) -> CentralStore:
    return CentralStore(central)


def bodies(chain: Sequence[Sealed]) -> list[bytes]:
    return [sealed.body for sealed in chain]


def test_entries_in_order_advance_the_prefix(store: CentralStore, central: Database) -> None:
    chain = a_chain(20)
    done = store.store(chain)
    assert done.sizes == {KEY: 20}
    assert done.advanced == 20
    assert stored(central) == bodies(chain)


def test_the_same_batch_twice_leaves_the_same_database(store: CentralStore, central: Database) -> None:
    chain = a_chain(20)
    store.store(chain)
    again = store.store(chain)
    assert (again.sizes, again.advanced, again.altered, again.broken) == ({KEY: 20}, 0, [], [])
    assert stored(central) == bodies(chain)


def test_the_prefix_waits_for_a_gap_and_then_takes_what_came_before_it(store: CentralStore) -> None:
    chain = a_chain(6)
    ahead = store.store([chain[4], chain[1], chain[5]])
    assert (ahead.sizes, ahead.broken) == ({KEY: 0}, [])
    assert store.store([chain[0]]).sizes == {KEY: 2}
    assert store.store([chain[3], chain[2]]).sizes == {KEY: 6}


def test_a_gap_filled_before_thousands_of_entries_takes_them_all(store: CentralStore) -> None:
    chain = a_chain(1203)
    for start in range(1, len(chain), 500):
        assert store.store(chain[start : start + 500]).sizes == {KEY: 0}
    assert store.store(chain[:1]).sizes == {KEY: 1203}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=st.lists(st.lists(st.integers(0, 14), min_size=1, max_size=8), max_size=12), seed=st.integers())
def test_in_whatever_order_they_come_the_size_is_the_contiguous_prefix(
    tmp_path_factory: pytest.TempPathFactory, arrivals: list[list[int]], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("any-order")
    database = Database(f"sqlite:///{folder}/hq.db", CENTRAL, gapless=False)
    store, chain, here = CentralStore(database), a_chain(15), set[int]()
    for batch in arrivals:
        here |= set(batch)
        prefix = next(n for n in range(16) if n not in here)
        assert store.store([chain[number] for number in batch]).sizes == {KEY: prefix}
    rest = list(chain)
    random.Random(seed).shuffle(rest)
    assert store.store(rest).sizes == {KEY: 15}
    assert stored(database) == bodies(chain)
    database.close()


def test_other_bytes_under_the_same_key_are_reported_and_change_nothing(store: CentralStore, central: Database) -> None:
    chain, fork = a_chain(5), a_chain(5, fork="other-")
    store.store(chain)
    done = store.store([fork[2]])
    assert done.altered == [fork[2].entry.id]
    assert done.sizes == {KEY: 5}
    assert stored(central) == bodies(chain)


def test_other_bytes_in_the_same_batch_are_reported_too(store: CentralStore, central: Database) -> None:
    chain, fork = a_chain(2), a_chain(2, fork="other-")
    done = store.store([chain[0], fork[0], chain[1]])
    assert done.altered == [fork[0].entry.id]
    assert done.sizes == {KEY: 2}
    assert stored(central) == bodies(chain)


def test_an_entry_that_does_not_follow_its_predecessor_stops_the_prefix(store: CentralStore) -> None:
    chain, fork = a_chain(5), a_chain(5, fork="other-")
    done = store.store([*chain[:3], fork[3]])
    assert done.broken == [fork[3].entry.id]
    assert done.sizes == {KEY: 3}


def test_a_second_entry_for_the_same_command_and_subject_has_no_place(store: CentralStore, central: Database) -> None:
    first = an_entry(1, NO_ENTRY, "cabinet.unheard_of", {})
    second = _with_command(an_entry(2, digest(first.body), "cabinet.unheard_of", {}), first.entry.command)
    done = store.store([second, first])
    assert done.altered == [second.entry.id]
    assert done.sizes == {KEY: 1}
    assert stored(central) == [first.body]


def _with_command(sealed: Sealed, command: str) -> Sealed:
    entry = replace(sealed.entry, command=command)
    return Sealed(entry, seal(entry))


def test_a_type_from_the_future_is_stored_acknowledged_and_passed_over(store: CentralStore, central: Database) -> None:
    future = an_entry(1, NO_ENTRY, "custody.teleported", {"item": "i-1", "signature": "a" * 64})
    after = an_entry(2, digest(future.body), "cabinet.door_left_open", {"visit": "v", "person": "p"})
    done = store.store([future, after])
    assert done.sizes == {KEY: 2}
    assert (done.unfolded, done.broken) == ([], [])
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
    assert done.sizes == {KEY: 2}
    assert done.unfolded == [ill.entry.id]


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
