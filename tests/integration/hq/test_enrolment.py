"""Which keys count at headquarters: a cabinet's for what comes in, headquarters' own for what it answers."""

import time

import pytest

from kiosk.domain.errors import NoSuchLog, NotLetIn
from kiosk.domain.identifiers import Timestamp
from kiosk.hq import witness
from kiosk.hq.recall import answers
from kiosk.hq.receipts import CentralReceipts
from kiosk.hq.witness import Enrolled, SigningWitness, UnknownLog
from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import origin
from kiosk.ledger.entry import digest
from kiosk.ledger.errors import UnknownKey
from kiosk.ledger.note import Kind, Signature, SigningKey
from kiosk.ledger.verify import Keyring, verify_receipt
from kiosk.mqtt.messages import Recall, Recalled, decode
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.enrolment import close_log, enrol, every_log_key
from kiosk.store.stream import StaleMemory
from tests.integration.hq.parts import HQ_KEY, NODE, STREAM, a_chain, a_head, a_key

NAME = origin(NODE, STREAM)
OLD, NEW = a_key(NAME, Kind.ED25519), a_key(NAME, Kind.ED25519, "new")
NEW_HQ_KEY = a_key(HQ_KEY.verifier.name, Kind.COSIGNATURE, "new")
OTHER = "another-journal"
OTHER_KEY = a_key(origin(NODE, OTHER), Kind.ED25519)


def at(minute: int) -> Timestamp:
    return Timestamp(f"2026-11-24T06:{minute:02}:00.000Z")


def let_in(central: Database, *keys: SigningKey, minute: int = 0) -> tuple[list[SigningKey], list[SigningKey]]:
    """Let journals in by these keys; which are new, and which are retired."""
    known = {key.verifier: key for key in (OLD, NEW, OTHER_KEY)}
    done = enrol(central, [key.verifier for key in keys], at(minute))
    return [known[key] for key in done.new], [known[key] for key in done.retired]


@pytest.fixture
def store(central: Database) -> CentralStore:
    return CentralStore(central, SigningWitness([HQ_KEY], lambda: 1_000))


# ---- a cabinet's keys


def test_a_key_that_is_not_named_any_more_is_retired_and_stays_known_to_verifiers(
    central: Database, store: CentralStore
) -> None:
    assert let_in(central, OLD, OTHER_KEY) == ([OLD, OTHER_KEY], [])
    assert let_in(central, OLD, NEW) == ([NEW], []), "during a change both count"
    assert let_in(central, NEW) == ([], [OLD])
    assert store.log_keys(NODE, STREAM) == [NEW.verifier]
    assert store.log_keys(NODE, OTHER) == [OTHER_KEY.verifier], "nothing was said of this journal"
    assert set(every_log_key(central)) == {OLD.verifier, NEW.verifier, OTHER_KEY.verifier}


def test_a_retired_key_that_is_named_again_counts_again(central: Database, store: CentralStore) -> None:
    let_in(central, OLD)
    let_in(central, NEW)
    assert let_in(central, NEW, OLD, OLD) == ([OLD], [])
    assert set(store.log_keys(NODE, STREAM)) == {OLD.verifier, NEW.verifier}


def test_a_head_under_a_retired_key_is_refused_within_a_second(
    central: Database, store: CentralStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "LOOK_AGAIN", 0.2)
    chain, enrolled = a_chain(3), Enrolled(store)
    note = a_head(chain)[1].note
    let_in(central, OLD)
    assert enrolled.open_head(NODE, note)[1].checkpoint.size == 3
    let_in(central, NEW)
    time.sleep(0.2)
    with pytest.raises(UnknownKey):
        enrolled.open_head(NODE, note)
    let_in(central, OLD, NEW)
    time.sleep(0.2)
    assert enrolled.open_head(NODE, note)[1].checkpoint.size == 3


def test_a_receipt_outlives_a_false_signature_that_waited_for_the_next_key(
    central: Database, store: CentralStore
) -> None:
    """A line that nobody could verify when the head came would be a bad signature once its key is known."""
    let_in(central, OLD)
    chain = a_chain(3)
    waiting = str(Signature(NAME, NEW.verifier.id, bytes(64))).encode()
    store.store(chain, [Enrolled(store).open_head(NODE, a_head(chain)[1].note + waiting)])
    let_in(central, OLD, NEW)
    receipt = CentralReceipts(central).receipt(f"{NODE}:{STREAM}:2")
    verdict = verify_receipt(receipt, Keyring(tuple(every_log_key(central)), (HQ_KEY.verifier,)))
    assert (verdict.origin, verdict.digest) == (NAME, digest(chain[1].body))


def test_nothing_more_of_a_closed_journal_comes_in_and_what_is_there_can_still_be_proved(
    central: Database, store: CentralStore
) -> None:
    let_in(central, OLD)
    chain = a_chain(3)
    store.store(chain, [a_head(chain)])
    assert close_log(central, NAME, at(1)) == [OLD.verifier]
    enrolled = Enrolled(store)
    assert (NODE, STREAM) not in enrolled
    with pytest.raises(UnknownLog):
        enrolled.open_head(NODE, a_head(chain)[1].note)
    assert list(CentralReceipts(central).export(NAME).entries) == [one.body for one in chain]
    assert (store.answers(), store.answer(NODE, STREAM)) == ({}, None), "or a card would send it for ever"


@pytest.mark.parametrize("name", [NODE, origin(NODE, OTHER), NAME, "", "trousseau/hq"])
def test_what_is_not_let_in_cannot_be_closed(central: Database, name: str) -> None:
    let_in(central, OLD)
    close_log(central, NAME, at(1))
    with pytest.raises(NotLetIn):
        close_log(central, name, at(2))


# ---- a cabinet's journals


def test_the_newest_journal_is_the_one_let_in_last_whatever_comes_of_an_older_one(
    central: Database, store: CentralStore
) -> None:
    old, new = a_chain(2), a_chain(1, stream=OTHER)
    let_in(central, OLD, minute=0)
    store.store(old[:1], [a_head(old, 1)])
    let_in(central, OTHER_KEY, minute=1)
    receipts = CentralReceipts(central)
    assert list(receipts.export(NODE).entries) == [old[0].body], "nothing of the new one is here yet"
    store.store(new, [a_head(new)])
    store.store(old[1:], [a_head(old)])
    let_in(central, NEW, minute=2)
    let_in(central, OLD, minute=3)
    assert list(receipts.export(NODE).entries) == [new[0].body]
    assert list(receipts.export(NAME).entries) == [one.body for one in old]
    (told,) = answers(central, NODE, Recall())
    recalled = decode(told.payload, Recalled)
    assert recalled is not None
    assert [journal.stream for journal in recalled.journals] == [STREAM, OTHER]


@pytest.mark.parametrize("name", [NODE, "armoire-8", NAME, origin(NODE, OTHER), ""])
def test_a_journal_of_which_nothing_is_cosigned_is_not_exported(central: Database, name: str) -> None:
    let_in(central, OLD)
    with pytest.raises(NoSuchLog):
        CentralReceipts(central).export(name)


# ---- headquarters' keys


def renewed(central: Database, *keys: SigningKey) -> CentralStore:
    """Headquarters, started later with these keys."""
    store = CentralStore(central, SigningWitness(keys, lambda: 2_000))
    store.renew()
    return store


def a_refused_journal(store: CentralStore) -> None:
    """Headquarters has seen three entries, and refused another history of them."""
    chain = a_chain(3)
    store.store(chain, [a_head(chain), a_head(a_chain(3, fork="other-"))])


def test_what_was_answered_under_a_former_key_is_answered_under_the_present_ones_too(
    central: Database, store: CentralStore
) -> None:
    let_in(central, OLD)
    a_refused_journal(store)
    answer = renewed(central, NEW_HQ_KEY).answers()[NODE, STREAM]
    assert answer.cosigned is not None
    assert answer.refusal is not None
    for key, seen_at in ((HQ_KEY, 1_000), (NEW_HQ_KEY, 2_000)):
        cosigned = checkpoint.open_cosigned(answer.cosigned, NAME, [key.verifier])
        assert (cosigned.checkpoint, cosigned.at) == (a_head(a_chain(3))[1].checkpoint, seen_at)
        assert checkpoint.open_refusal(answer.refusal, NAME, [key.verifier]).at == 1_000
    assert checkpoint.open_signed(answer.cosigned, NAME, [OLD.verifier]).size == 3


def test_an_answer_that_bears_every_present_signature_is_left_alone(central: Database, store: CentralStore) -> None:
    let_in(central, OLD)
    a_refused_journal(store)
    before = store.answers()
    assert renewed(central, HQ_KEY).answers() == before
    both = renewed(central, HQ_KEY, NEW_HQ_KEY).answers()
    assert both != before
    assert renewed(central, NEW_HQ_KEY).answers() == both


def test_who_has_a_journal_in_memory_does_not_undo_new_signatures(central: Database, store: CentralStore) -> None:
    let_in(central, OLD)
    chain = a_chain(5)
    store.store(chain[:3], [a_head(chain, 3)])
    renewed(central, NEW_HQ_KEY)
    with pytest.raises(StaleMemory):
        store.store(chain[3:], [a_head(chain)])


def test_who_begins_anew_remembers_nothing_of_before(central: Database, store: CentralStore) -> None:
    let_in(central, OLD)
    chain = a_chain(3)
    store.store(chain, [a_head(chain)])
    now = renewed(central, NEW_HQ_KEY).answers()
    store.renew()
    assert store.store(chain[:1]).answers == now, "what comes again is answered as it is now"
