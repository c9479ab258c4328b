"""Headquarters as witness, on the wire: whom it lets in, what it signs for, and what becomes of a head that rewrites history."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from kiosk.ledger.checkpoint import Refusal, open_refusal, open_signed
from kiosk.ledger.entry import digest
from kiosk.ledger.errors import UnknownKey
from kiosk.ledger.note import Kind
from kiosk.mqtt import relay as relay_module
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import Ack, decode
from kiosk.services.heads import refusal_cursor
from kiosk.services.ports import Trouble
from kiosk.services.receipts import size_of
from kiosk.store.database import Database
from kiosk.store.enrolment import enrol
from kiosk.store.supervision import Supervision
from kiosk.store.tables import streams
from tests.integration.hq.conftest import MakeCabinet, MakeEar
from tests.integration.hq.parts import (
    HQ_KEY,
    LET_IN,
    LOG_KEYS,
    NODE,
    STREAM,
    Cabinet,
    a_key,
    a_life,
    an_entry,
    documents_of,
    headquarters,
    signed_for,
    stored,
)
from tests.services import wait_until


def alarms(central: Database) -> list[tuple[str, str]]:
    return [(alarm.kind, alarm.detail) for alarm in Supervision(central).alarms()]


# ---- who is let in


def test_a_journal_that_was_not_let_in_raises_an_alarm_and_comes_by_itself_when_it_is(
    cabinet: Cabinet, broker: BrokerAddress, database_url: str, ear: MakeEar
) -> None:
    LOG_KEYS.clear()
    a_life(cabinet)
    listening = ear(broker, topics.ack(NODE))
    with headquarters(database_url, broker) as (central, subscriber):
        relay = cabinet.connect(broker)
        wait_until(lambda: subscriber.counts["not_enrolled"] > 1, "the alarm")
        assert (stored(central), relay.status.acked, listening.all()) == ([], 0, [])
        assert alarms(central) == [("not_enrolled", cabinet.journal.stream)]
        assert Supervision(central).quarantined() == [], "it is not lost, it comes again"
        enrol(central, [cabinet.keys[0].verifier], LET_IN)
        cabinet.wait()
        assert stored(central) == cabinet.bodies()
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")


def test_a_new_key_counts_once_it_is_let_in_and_the_old_one_until_it_is_retired(
    cabinet: Cabinet, broker: BrokerAddress, database_url: str
) -> None:
    name = cabinet.heads.origin
    old, new = cabinet.keys[0], a_key(name, Kind.ED25519, "new")
    with headquarters(database_url, broker) as (central, subscriber):
        cabinet.connect(broker)
        cabinet.record_many(3)
        cabinet.wait()
        cabinet.keys.append(new)
        cabinet.record_many(3)
        cabinet.wait()
        assert open_signed(cosigned(central), name, [old.verifier]).size == 6
        with pytest.raises(UnknownKey):  # headquarters gives back no signature that it could not verify
            open_signed(cosigned(central), name, [new.verifier])
        cabinet.keys.remove(old)
        cabinet.record_many(3)
        wait_until(lambda: subscriber.counts["rejected"] > 0, "the new key alone is unknown")
        assert (cabinet.relay.status.acked, len(stored(central))) == (6, 6)
        assert subscriber.counts["not_enrolled"] == 0
        enrol(central, [old.verifier, new.verifier], LET_IN)
        cabinet.wait()
        assert open_signed(cosigned(central), name, [new.verifier]).size == 9
        cabinet.keys[:] = [old, new]
        cabinet.record_many(1)
        cabinet.wait()
        for key in (old, new):
            assert open_signed(cosigned(central), name, [key.verifier]).size == 10, "during the change both sign"
        cabinet.keys.remove(new)
        enrol(central, [new.verifier], LET_IN)
        time.sleep(1.1)  # until headquarters looks again
        cabinet.record_many(1)
        before = subscriber.counts["rejected"]
        wait_until(lambda: subscriber.counts["rejected"] > before, "who has stolen the old key signs in vain")
        assert (cabinet.relay.status.acked, len(stored(central))) == (10, 10)


def test_a_cabinet_gets_its_own_entry_in_after_one_that_was_said_in_its_name(
    cabinet: Cabinet, broker: BrokerAddress, database_url: str, ear: MakeEar
) -> None:
    """Somebody has the cabinet's certificate, but cannot sign for it."""
    with headquarters(database_url, broker) as (central, subscriber):
        relay = cabinet.connect(broker)
        cabinet.record_many(3)
        cabinet.wait()
        forged = an_entry(4, digest(cabinet.bodies()[-1]), "cabinet.door_left_open", {}, stream=cabinet.journal.stream)
        received = subscriber.counts["received"]
        ear(broker).say(topics.event(NODE, forged.entry.type), forged.body)
        wait_until(lambda: subscriber.counts["received"] > received, "it was heard")
        assert stored(central) == cabinet.bodies()
        cabinet.record_many(1)
        cabinet.wait()
        assert stored(central) == cabinet.bodies()
        assert ("rejected", "altered") in alarms(central)
        assert (relay.halted, subscriber.counts["refused"]) == (None, 0)


def cosigned(central: Database) -> bytes:
    """The newest head that headquarters has signed."""
    with central.read() as connection:
        note: bytes = connection.execute(select(streams.c.cosigned)).scalar_one()
    return note


def test_headquarters_key_is_changed_with_an_overlap_too(
    cabinet: Cabinet, broker: BrokerAddress, database_url: str
) -> None:
    """What the old key has signed is believed on, and a cabinet that was not given the new one believes nothing more."""
    with headquarters(database_url, broker):
        cabinet.connect(broker)
        cabinet.record_many(3)
        cabinet.wait()
    new = a_key(HQ_KEY.verifier.name, Kind.COSIGNATURE, "new")
    with headquarters(database_url, broker, keys=[HQ_KEY, new]):
        cabinet.record_many(3)
        cabinet.wait()
    with headquarters(database_url, broker, keys=[new]):
        cabinet.record_many(3)
        wait_until(lambda: cabinet.relay.halted == "untrusted", "the cabinet does not know the new key")
        assert cabinet.relay.view.size == 6
    cabinet.trusted.append(new.verifier)
    with headquarters(database_url, broker, keys=[new]):
        cabinet.wait()
        assert cabinet.relay.view.size == 9


# ---- histories


@contextmanager
def a_fork(
    make_cabinet: MakeCabinet, broker: BrokerAddress, folder: Path, true: int, false: int
) -> Iterator[tuple[Database, Cabinet, Cabinet]]:
    """Headquarters, which has seen the first cabinet's entries, and a second one with the same name, key, and other entries."""
    original, forked = make_cabinet(NODE, STREAM), make_cabinet(NODE, STREAM)
    original.record_many(true)
    forked.record_many(false)
    with headquarters(f"sqlite:///{folder}/hq.db", broker) as (central, _):
        original.connect(broker)
        original.wait()
        original.disconnect()
        yield central, original, forked


def refused(payload: bytes, cabinet: Cabinet) -> Refusal | None:
    """What an acknowledgement says was refused."""
    ack = decode(payload, Ack)
    assert ack is not None
    if ack.refusal is None:
        return None
    return open_refusal(ack.refusal.encode(), cabinet.heads.origin, [HQ_KEY.verifier])


def is_refused(cabinet: Cabinet, broker: BrokerAddress) -> None:
    """Connect it, and wait until it has understood."""
    relay = cabinet.connect(broker)
    wait_until(lambda: relay.halted == "refused", "the refusal")
    assert relay.view.trouble is Trouble.REFUSED


@pytest.mark.parametrize(("true", "false"), [(20, 25), (100, 100), (50, 64)])
def test_a_history_that_was_rewritten_is_refused_on_the_wire_and_kept_as_evidence(
    make_cabinet: MakeCabinet, broker: BrokerAddress, tmp_path: Path, ear: MakeEar, true: int, false: int
) -> None:
    with a_fork(make_cabinet, broker, tmp_path, true, false) as (central, original, forked):
        listening = ear(broker, topics.ack(NODE))
        is_refused(forked, broker)
        payload = listening.until(lambda _, payload: refused(payload, forked) is not None)
        refusal = refused(payload, forked)
        assert refusal is not None
        assert signed_for(payload) == true, "what was seen stays seen"
        assert refusal.root == forked.journal.frontier(refusal.size).root()
        assert refusal.seen_root == original.journal.frontier(refusal.seen_size).root()
        assert stored(central) == original.bodies()
        with central.read() as connection:
            evidence = connection.execute(select(streams.c.evidence)).scalar_one()
        assert open_signed(evidence, forked.heads.origin, [forked.keys[0].verifier]).root == refusal.root
        assert ("refused", f"{STREAM}: {refusal.size}") in alarms(central)
        [line] = Supervision(central).cabinets()
        assert (line.refused, line.cosigned) == (True, true)


def test_the_original_goes_on_beside_a_fork_that_was_refused(
    make_cabinet: MakeCabinet, broker: BrokerAddress, tmp_path: Path
) -> None:
    with a_fork(make_cabinet, broker, tmp_path, 20, 25) as (central, original, forked):
        is_refused(forked, broker)
        forked.disconnect()
        original.record_many(30)
        relay = original.connect(broker)
        original.wait()
        assert (relay.halted, relay.view.trouble) == (None, None)
        assert stored(central) == original.bodies()


def test_a_refused_cabinet_stays_refused_and_is_told_the_same_again(
    make_cabinet: MakeCabinet, broker: BrokerAddress, tmp_path: Path
) -> None:
    with a_fork(make_cabinet, broker, tmp_path, 20, 25) as (central, _, forked):
        is_refused(forked, broker)
        # It stops first, and writes it down then.
        wait_until(lambda: bool(forked.local.cursor(refusal_cursor(STREAM))), "it is written down")
        first = forked.local.cursor(refusal_cursor(STREAM))
        forked.disconnect()
        forked.local.keep_cursor(refusal_cursor(STREAM), "")
        # Somebody has wiped what it remembered of that; it learns the same again.
        time.sleep(1.1)  # a later second, which another signature would tell
        is_refused(forked, broker)
        wait_until(lambda: forked.local.cursor(refusal_cursor(STREAM)) == first, "the same is written down")
        assert size_of(cosigned(central)) == 20


def test_a_fork_shorter_than_what_was_seen_is_behind_and_refused_when_it_has_grown_beyond(
    make_cabinet: MakeCabinet, broker: BrokerAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_STATUS_SECONDS", 0.3)
    with a_fork(make_cabinet, broker, tmp_path, 20, 7) as (central, original, forked):
        relay = forked.connect(broker)
        wait_until(lambda: relay.halted == "behind", "the cabinet sees it")
        assert relay.view.trouble is Trouble.BEHIND
        forked.record_many(20)
        wait_until(lambda: relay.halted == "refused", "the refusal")
        assert stored(central) == original.bodies()
