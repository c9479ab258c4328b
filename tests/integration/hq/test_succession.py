"""A journal that follows another, as after a restore: headquarters compares what it takes over with its own copy."""

import pytest

from kiosk.domain.events import StreamOpened
from kiosk.domain.identifiers import Root, Size, StreamId
from kiosk.hq.witness import SigningWitness
from kiosk.ledger.entry import NO_ENTRY, digest
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.topics import checkpoint, event
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.stream import Key, Sealed, StaleMemory, Stored, Stream
from kiosk.store.supervision import Supervision
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import (
    HQ_KEY,
    NODE,
    STREAM,
    a_chain,
    a_head,
    an_entry,
    headquarters,
    let_in,
    log_key,
    stored,
)
from tests.services import wait_until

FORMER: Key = (NODE, STREAM)
NEW: Key = (NODE, "the-new-journal")
OLD_CHAIN = 5


@pytest.fixture
def store(central: Database) -> CentralStore:
    """Headquarters, to which a former journal has come."""
    for key in (FORMER, NEW, ("armoire-8", STREAM)):
        log_key(*key)
    let_in(central)
    store = CentralStore(central, SigningWitness([HQ_KEY]))
    chain = a_chain(OLD_CHAIN)
    store.store(chain, [a_head(chain)])
    return store


def opening(size: int = OLD_CHAIN, *, previous: str = STREAM, root: str | None = None, key: Key = NEW) -> list[Sealed]:
    """A new journal that takes over so much of the former one."""
    taken = a_head(a_chain(OLD_CHAIN + 1), size)[1].checkpoint
    cited = Root(root or taken.root.hex())
    first = StreamOpened(previous=StreamId(previous), size=Size(str(size)), root=cited)
    return a_chain(3, first, node=key[0], stream=key[1])


def begin(store: CentralStore, chain: list[Sealed]) -> Stored:
    return store.store(chain, [a_head(chain)])


def alarms(central: Database) -> list[tuple[str, str]]:
    return [(alarm.kind, alarm.detail) for alarm in Supervision(central).alarms()]


def is_open(store: CentralStore, key: Key) -> bool:
    return bool(store.log_keys(*key))


def test_a_journal_that_takes_over_all_of_the_former_one_closes_it(store: CentralStore, central: Database) -> None:
    done = begin(store, opening())
    assert (done.closed, done.disputed) == ([FORMER], [])
    assert (is_open(store, FORMER), is_open(store, NEW)) == (False, True)
    assert [(line.stream, line.closed) for line in Supervision(central).cabinets()] == [
        (STREAM, True),
        (NEW[1], False),
        (STREAM, False),
    ]
    assert len(stored(central)) == OLD_CHAIN + 3, "what is here of it stays"


def test_it_is_closed_also_when_the_rest_of_it_comes_in_the_same_batch(store: CentralStore) -> None:
    chain, new = a_chain(OLD_CHAIN + 1), opening(OLD_CHAIN + 1)
    done = store.store([*new, chain[-1]], [a_head(new), a_head(chain)])
    assert (done.closed, done.disputed) == ([FORMER], [])


@pytest.mark.parametrize(
    "chain",
    [
        opening(OLD_CHAIN - 1),
        opening(OLD_CHAIN + 1),
        opening(root="00" * 32),
        opening(previous="nobody-knows-it"),
        opening(0),
        opening(OLD_CHAIN + 1, root=a_head(a_chain(OLD_CHAIN))[1].checkpoint.root.hex()),
    ],
    ids=["less than is here", "more", "another history", "an unknown journal", "nothing", "another size"],
)
def test_a_journal_that_takes_over_anything_else_is_disputed_and_both_stay_open(
    store: CentralStore, central: Database, chain: list[Sealed]
) -> None:
    done = begin(store, chain)
    assert (done.closed, done.disputed) == ([], [chain[0].entry])
    assert (is_open(store, FORMER), is_open(store, NEW)) == (True, True)
    assert ("disputed", NEW[1]) in alarms(central)


@pytest.mark.parametrize("together", [True, False])
def test_of_two_journals_that_follow_the_same_one_the_second_is_disputed(store: CentralStore, together: bool) -> None:
    """Somebody has restored twice, or from two cards; the first may have gone on meanwhile."""
    log_key(NODE, "yet-another")
    let_in(store._database)
    first, second = opening(), opening(key=(NODE, "yet-another"))
    if together:
        done = store.store([*first, *second], [a_head(first), a_head(second)])
    else:
        done = begin(store, first)
        assert done.disputed == []
        done.add(begin(store, second))
    assert (done.closed, done.disputed) == ([FORMER], [second[0].entry])


def test_a_journal_is_not_answered_in_the_batch_that_closes_it(store: CentralStore) -> None:
    chain, new = a_chain(OLD_CHAIN), opening()
    assert store.store([*new, *chain], [a_head(new)]).answers.keys() == {NEW}


def test_a_cabinet_closes_no_journal_of_another(store: CentralStore) -> None:
    chain = opening(key=("armoire-8", STREAM))
    done = begin(store, chain)
    assert done.closed == []
    assert is_open(store, FORMER)


def test_a_root_that_is_no_root_is_disputed(store: CentralStore) -> None:
    told = {"previous": STREAM, "size": "5", "root": "no root"}
    chain = [an_entry(1, NO_ENTRY, StreamOpened.type, told, node=NODE, stream=NEW[1])]
    done = begin(store, chain)
    assert (done.closed, len(done.disputed) + len(done.unfolded)) == ([], 1)
    assert is_open(store, FORMER)


def test_only_a_journals_first_entry_closes_another(store: CentralStore) -> None:
    first, told = a_chain(1, node=NODE, stream=NEW[1]), opening()[0].entry
    second = an_entry(2, digest(first[0].body), told.type, told.data, told.subject, *NEW)
    done = begin(store, [*first, second])
    assert (done.advanced, done.closed) == (2, [])
    assert is_open(store, FORMER)


def test_the_former_one_is_closed_in_the_transaction_in_which_the_new_one_is_signed_for(
    store: CentralStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(*_: object) -> None:
        raise StaleMemory

    with monkeypatch.context() as patch:
        patch.setattr(Stream, "confirm", cut_short)
        with pytest.raises(StaleMemory):
            begin(store, opening())
    assert is_open(store, FORMER)
    assert begin(store, opening()).closed == [FORMER]


def test_a_former_journal_that_somebody_else_has_written_meanwhile_is_read_anew(
    store: CentralStore, central: Database
) -> None:
    chain = a_chain(OLD_CHAIN + 1)
    CentralStore(central, SigningWitness([HQ_KEY])).store(chain, [a_head(chain)])
    assert begin(store, opening(OLD_CHAIN + 1)).closed == [FORMER]


def test_nothing_more_of_the_former_one_is_let_in_from_then_on(
    database_url: str, broker: BrokerAddress, ear: MakeEar
) -> None:
    for key in (FORMER, NEW):
        log_key(*key)
    old, new = a_chain(OLD_CHAIN + 1), opening()
    with headquarters(database_url, broker) as (central, subscriber):
        wait_until(lambda: subscriber.online, "headquarters")
        mouth = ear(broker)
        for chain in (old[:OLD_CHAIN], new):
            mouth.say(checkpoint(NODE), a_head(chain)[1].note)
            for sealed in chain:
                mouth.say(event(NODE, sealed.entry.type), sealed.body)
        wait_until(lambda: len(stored(central)) == OLD_CHAIN + len(new), "the entries of both")
        mouth.say(checkpoint(NODE), a_head(old)[1].note)
        mouth.say(event(NODE, old[-1].entry.type), old[-1].body)
        wait_until(lambda: subscriber.counts["not_enrolled"] >= 2, "both are turned away")
        assert len(stored(central)) == OLD_CHAIN + 3
        assert ("not_enrolled", STREAM) in alarms(central)
