"""What headquarters makes of signed heads: cosigned when its own entries bear them out, refused for good when they do not."""

from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from kiosk.hq.witness import SigningWitness
from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint, open_cosigned, open_refusal, open_signed
from kiosk.ledger.entry import digest
from kiosk.ledger.merkle import leaf_hash
from kiosk.ledger.note import Kind
from kiosk.store import stream
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.stream import CANDIDATES, WAITING, Answer, Misfit, Sealed, SignedHead, StaleMemory, Stored
from kiosk.store.tables import streams
from tests.integration.hq.parts import (
    HQ_KEY,
    NODE,
    STREAM,
    a_chain,
    a_head,
    a_key,
    an_entry,
    central_database,
    let_in,
    log_key,
    stored,
)

KEY = (NODE, STREAM)
TRUSTED = [HQ_KEY.verifier]


@pytest.fixture
def central(central: Database) -> Database:
    log_key()
    let_in(central)
    return central


def a_store(central: Database, begin: int = 1_000) -> CentralStore:
    """A store whose clock shows a later second at each signature."""
    seconds = count(begin)
    return CentralStore(central, SigningWitness([HQ_KEY], lambda: next(seconds)))


@pytest.fixture
def store(central: Database) -> CentralStore:
    return a_store(central)


def cosigned(done: Stored) -> Checkpoint | None:
    """The head that headquarters has signed for; its signature is verified."""
    return opened(done.answers[KEY])


def opened(answer: Answer) -> Checkpoint | None:
    if answer.cosigned is None:
        return None
    return open_cosigned(answer.cosigned, log_key().verifier.name, TRUSTED).checkpoint


def head_of(chain: Sequence[Sealed], size: int | None = None) -> Checkpoint:
    return a_head(chain, size)[1].checkpoint


def test_a_head_over_what_is_here_is_cosigned_with_the_time_and_keeps_the_cabinets_signature(
    store: CentralStore,
) -> None:
    chain = a_chain(20)
    note = store.store(chain, [a_head(chain)]).answers[KEY].cosigned
    assert note is not None
    seen = open_cosigned(note, log_key().verifier.name, TRUSTED)
    assert (seen.checkpoint, seen.at) == (head_of(chain), 1_000)
    assert open_signed(note, log_key().verifier.name, [log_key().verifier]) == head_of(chain)


def test_a_head_that_comes_before_its_entries_waits_for_the_last_of_them(store: CentralStore) -> None:
    chain = a_chain(5)
    assert cosigned(store.store([], [a_head(chain)])) is None
    assert cosigned(store.store([chain[4], *chain[:3]])) is None
    assert cosigned(store.store(chain[3:4])) == head_of(chain)


def test_entries_without_their_head_are_not_taken_in_until_it_comes(store: CentralStore, central: Database) -> None:
    chain = a_chain(40)
    store.store(chain[:10], [a_head(chain, 10)])
    assert cosigned(store.store(chain[10:])) == head_of(chain, 10)
    assert len(stored(central)) == 10
    assert cosigned(store.store([], [a_head(chain)])) == head_of(chain)
    assert len(stored(central)) == 40


def test_entries_that_the_cabinet_has_not_signed_are_let_go_and_the_right_ones_have_their_place(
    store: CentralStore, central: Database
) -> None:
    chain, thief = a_chain(5), a_chain(5)[:3]
    thief += [an_entry(4, digest(thief[2].body), "custody.lost", {"item": "i-0"})]
    store.store(chain[:3], [a_head(chain, 3)])
    assert store.store(thief[3:]).answers[KEY].size == 3
    done = store.store(chain[4:], [a_head(chain)])
    assert (done.answers[KEY].size, done.refused) == (3, [])
    again = store.store(chain[3:], [a_head(chain)])
    assert (cosigned(again), again.refused) == (head_of(chain), [])
    assert stored(central) == [sealed.body for sealed in chain]


def test_a_head_over_a_part_of_a_batch_is_judged_by_the_root_of_that_part(store: CentralStore) -> None:
    chain = a_chain(20)
    assert cosigned(store.store(chain, [a_head(chain, 13)])) == head_of(chain, 13)


def test_of_several_heads_the_largest_is_cosigned_in_whatever_order_they_come(store: CentralStore) -> None:
    chain = a_chain(20)
    heads = [a_head(chain, size) for size in (7, 20, 3)]
    assert cosigned(store.store(chain, heads)) == head_of(chain)


def test_a_head_of_an_older_size_again_is_no_news_and_takes_nothing_back(store: CentralStore) -> None:
    chain = a_chain(300)
    first = store.store(chain, [a_head(chain)]).answers[KEY]
    for size in (300, 299, 256, 17, 1, 0):
        done = store.store([], [a_head(chain, size)])
        assert done.answers[KEY] == first
        assert done.refused == []


def test_an_empty_journals_head_is_cosigned_too(store: CentralStore) -> None:
    chain = a_chain(1)
    assert cosigned(store.store([], [a_head(chain, 0)])) == head_of(chain, 0)


@pytest.mark.parametrize("size", [1, 16, 20, 255, 299, 300])
def test_a_head_that_rewrites_history_is_refused_and_kept_as_evidence(
    store: CentralStore, central: Database, size: int
) -> None:
    chain, fork = a_chain(300), a_chain(300, fork="other-")
    before = store.store(chain, [a_head(chain)]).answers[KEY]
    key, forged = a_head(fork, size)
    done = store.store([], [(key, forged)])
    assert done.refused == [forged]
    answer = done.answers[KEY]
    assert (answer.size, answer.cosigned) == (before.size, before.cosigned), "what was seen stays seen"
    assert answer.refusal is not None
    refusal = open_refusal(answer.refusal, log_key().verifier.name, TRUSTED)
    assert (refusal.size, refusal.root) == (size, forged.checkpoint.root)
    assert (refusal.seen_size, refusal.seen_root) == (size, head_of(chain, size).root)
    with central.read() as connection:
        assert connection.execute(select(streams.c.evidence)).scalar_one() == forged.note


def test_a_refused_head_that_comes_again_gets_the_same_refusal(store: CentralStore, central: Database) -> None:
    chain, fork = a_chain(5), a_chain(5, fork="other-")
    store.store(chain, [a_head(chain)])
    first = store.store([], [a_head(fork)])
    assert store.store([], [a_head(fork)]).answers == first.answers
    assert a_store(central, 9_000).store([], [a_head(fork)]).answers == first.answers, "after a restart too"


def test_another_refused_head_is_refused_by_name(store: CentralStore) -> None:
    chain, fork = a_chain(5), a_chain(5, fork="other-")
    store.store(chain, [a_head(chain)])
    for size in (5, 3):
        note = store.store([], [a_head(fork, size)]).answers[KEY].refusal
        assert note is not None
        assert open_refusal(note, log_key().verifier.name, TRUSTED).size == size


def test_a_journal_that_was_refused_goes_on_where_it_is_true(store: CentralStore) -> None:
    chain, fork = a_chain(9), a_chain(9, fork="other-")
    store.store(chain[:5], [a_head(chain, 5)])
    refusal = store.store([], [a_head(fork, 4)]).answers[KEY].refusal
    after = store.store(chain[5:], [a_head(chain)])
    assert cosigned(after) == head_of(chain)
    assert after.answers[KEY].refusal == refusal


def test_of_two_heads_of_one_size_the_one_that_is_not_ours_is_refused(store: CentralStore) -> None:
    chain, fork = a_chain(5), a_chain(5, fork="other-")
    for heads in ([a_head(fork), a_head(chain)], [a_head(chain), a_head(fork)]):
        done = store.store(chain, heads)
        assert cosigned(done) == head_of(chain)
        assert [one.checkpoint for one in done.refused] == [head_of(fork)]


def test_a_head_that_is_not_over_the_entries_that_come_takes_none_of_them_in_and_is_no_refusal(
    store: CentralStore, central: Database
) -> None:
    chain, fork = a_chain(8), a_chain(8, fork="other-")
    assert store.store(chain[:5], [a_head(fork)]).unsigned == []
    done = store.store(chain[5:])
    assert [one.checkpoint for one in done.unsigned] == [head_of(fork)]
    assert (done.refused, cosigned(done), stored(central)) == ([], None, [])
    assert cosigned(store.store(chain, [a_head(chain)])) == head_of(chain)


@pytest.mark.parametrize("liar_first", [True, False])
def test_of_entries_that_wait_for_one_place_the_head_chooses_whichever_came_first(
    store: CentralStore, central: Database, liar_first: bool
) -> None:
    chain, fork = a_chain(3), a_chain(3, fork="other-")
    first, second = (fork, chain) if liar_first else (chain, fork)
    assert store.store(first).misfits == []
    assert store.store(second).misfits == []
    done = store.store([], [a_head(chain)])
    assert (cosigned(done), done.unsigned, done.refused) == (head_of(chain), [], [])
    assert stored(central) == [sealed.body for sealed in chain]
    assert done.misfits == [Misfit(sealed, "altered") for sealed in fork], "nobody else is accused"


def test_an_entry_of_somebody_else_that_came_first_holds_the_right_one_up_for_no_time(store: CentralStore) -> None:
    chain, fork = a_chain(4), a_chain(4, fork="other-")
    store.store([*chain[:2], fork[2], fork[3]], [a_head(chain, 2)])
    assert cosigned(store.store(chain[2:], [a_head(chain)])) == head_of(chain)


def test_with_one_number_only_so_many_entries_wait_and_the_oldest_comes_again(store: CentralStore) -> None:
    chain, forks = a_chain(2), [a_chain(2, fork=f"{n}-")[1] for n in range(CANDIDATES)]
    store.store([chain[1], *forks])
    assert cosigned(store.store(chain[:1], [a_head(chain)])) is None
    assert cosigned(store.store(chain[1:])) == head_of(chain)


def test_a_head_that_the_cabinet_signed_wrongly_is_refused_once_a_later_one_is_borne_out(store: CentralStore) -> None:
    chain, fork = a_chain(8), a_chain(8, fork="other-")
    done = store.store(chain, [a_head(fork, 5), a_head(chain)])
    assert (cosigned(done), done.unsigned) == (head_of(chain), [])
    assert [one.checkpoint for one in done.refused] == [head_of(fork, 5)]


def test_an_entry_that_comes_again_is_the_newest_of_its_number(store: CentralStore) -> None:
    chain, forks = a_chain(2), [a_chain(2, fork=f"{n}-")[1] for n in range(CANDIDATES)]
    store.store([chain[1], *forks[:-1]])
    store.store([chain[1], forks[-1]])
    assert cosigned(store.store(chain[:1], [a_head(chain)])) == head_of(chain)


def test_a_chain_that_leads_elsewhere_is_not_counted_again_for_every_message(
    store: CentralStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, fork = a_chain(200), a_chain(200, fork="other-")
    hashed: list[bytes] = []

    def counted(body: bytes) -> bytes:
        hashed.append(body)
        return leaf_hash(body)

    monkeypatch.setattr(stream, "leaf_hash", counted)
    assert store.store(fork, [a_head(chain)]).unsigned
    assert len(hashed) == len(fork)
    for _ in range(5):
        assert store.store(fork[-1:], [a_head(chain)]).unsigned
    assert len(hashed) == len(fork)
    assert cosigned(store.store(chain)) == head_of(chain)


def test_an_entry_that_does_not_follow_the_last_one_is_not_taken_in_though_the_cabinet_has_signed_for_it(
    store: CentralStore, central: Database
) -> None:
    chain, fork = a_chain(1), a_chain(2, fork="other-")
    store.store(chain, [a_head(chain)])
    done = store.store([fork[1]], [a_head([*chain, fork[1]])])
    assert (cosigned(done), done.misfits) == (head_of(chain), [Misfit(fork[1], "broken")])
    assert stored(central) == [chain[0].body]


def test_a_head_that_no_entries_bear_out_is_told_and_waits_for_those_that_do(store: CentralStore) -> None:
    chain, fork = a_chain(3), a_chain(3, fork="other-")
    done = store.store(fork, [a_head(chain)])
    assert ([one.checkpoint for one in done.unsigned], cosigned(done)) == ([head_of(chain)], None)
    assert cosigned(store.store(chain)) == head_of(chain)


def test_of_heads_without_their_entries_only_the_newest_few_wait(store: CentralStore) -> None:
    chain = a_chain(100)
    for size in range(1, 4 * WAITING):
        store.store([], [a_head(chain, size)])
    assert cosigned(store.store(chain[: 3 * WAITING - 1])) is None
    assert cosigned(store.store(chain[3 * WAITING - 1 :])) == head_of(chain, 4 * WAITING - 1)


def test_with_two_keys_during_a_change_both_signatures_stay_on_the_cosigned_head(store: CentralStore) -> None:
    chain, name = a_chain(3), log_key().verifier.name
    keys = [log_key(), a_key(name, Kind.ED25519, "new")]
    head = head_of(chain)
    note = store.store(chain, [(KEY, SignedHead(head, checkpoint.sign(head, keys)))]).answers[KEY].cosigned
    assert note is not None
    for key in keys:
        assert open_signed(note, name, [key.verifier]) == head


def test_a_head_judged_from_a_memory_that_is_out_of_date_takes_nothing_back(
    store: CentralStore, central: Database
) -> None:
    chain, other = a_chain(10), a_store(central)
    store.store(chain[:5])
    newest = other.store(chain, [a_head(chain)]).answers
    with pytest.raises(StaleMemory):
        store.store([], [a_head(chain, 5)])
    assert store.answers() == newest
    assert store.store([], [a_head(chain, 5)]).answers == newest


#: Entries by number, and heads by size, true or of another history.
ARRIVALS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 14), max_size=8),
        st.lists(st.tuples(st.sampled_from([2, 7, 11, 15]), st.booleans()), max_size=2),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=ARRIVALS, last=st.permutations(range(15)))
def test_in_whatever_order_and_however_often_they_come_only_the_true_prefix_is_signed_for(
    tmp_path_factory: pytest.TempPathFactory,
    arrivals: list[tuple[list[int], list[tuple[int, bool]]]],
    last: list[int],
) -> None:
    log_key()
    chain, fork = a_chain(15), a_chain(15, fork="other-")
    told, lies = {0}, set[int]()
    with central_database(f"sqlite:///{tmp_path_factory.mktemp('any-order')}/hq.db") as central:
        store, answer = a_store(central), Answer(0, None, None)
        # What is let go because of a lie comes again: at last everything, under the true head.
        for numbers, heads in [*arrivals, *[(last, [(15, True)])] * 5]:
            told |= {size for size, true in heads if true}
            lies |= {size for size, true in heads if not true}
            batch = [chain[number] for number in numbers]
            answer = _settled(store, batch, [a_head(chain if true else fork, size) for size, true in heads])
            assert answer.size in told, "nothing is taken in but under a head"
            assert opened(answer) == (head_of(chain, answer.size) if answer.size else None)
            assert answer.refusal is None or lies
            assert stored(central) == [sealed.body for sealed in chain[: answer.size]]
        assert answer.size == 15


def _settled(
    store: CentralStore, batch: Sequence[Sealed], heads: Sequence[tuple[tuple[str, str], SignedHead]]
) -> Answer:
    store.store(batch, heads)
    answer = store.answer(*KEY)
    assert answer is not None
    return answer
