"""Keys that change while everybody works: what was signed still verifies, and a key that was stolen convinces nobody."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk import keys
from kiosk.bootstrap import Store, broker, headquarters, opened_store
from kiosk.cli.texts import t
from kiosk.clock import SystemClock
from kiosk.config import FILE, read
from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint
from kiosk.ledger.errors import Fault, Unproven
from kiosk.ledger.note import Note, SigningKey
from kiosk.ledger.receipt import Receipt
from kiosk.ledger.verify import Keyring, verify
from kiosk.mqtt import relay, topics
from kiosk.mqtt.messages import Ack, HeadquartersStatus, encode
from kiosk.services.commands import new_command
from kiosk.services.receipts import size_of
from tests.attack.logs import LOG_KEY
from tests.building import no_progress
from tests.conftest import StartMosquitto
from tests.integration.hq.parts import Ear
from tests.services import wait_until
from tests.unit.cli.central import event_topic, inside, introduced
from tests.unit.cli.typing_commands import Terminal


@pytest.fixture(autouse=True)
def acquainted(cabinet: Terminal, hq: Terminal, mosquitto: StartMosquitto, tmp_path: Path) -> None:
    """Cabinet and headquarters know each other, and the broker."""
    port = mosquitto().port
    for terminal in (cabinet, hq):
        settings = (terminal.folder / FILE).read_text().partition("[broker]")[0]
        written(terminal.folder / FILE, f"{settings}\n[broker]\nport = {port}\n")
    introduced(cabinet, hq, tmp_path)


@pytest.fixture
def thief(cabinet: Terminal) -> Iterator[Ear]:
    """Somebody on the broker who may say anything."""
    ear = Ear(broker(read(cabinet.folder)))
    yield ear
    ear.close()


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def believe(cabinet: Terminal, hq: Terminal, folder: Path) -> None:
    """Take headquarters' keys of now to the cabinet."""
    cabinet.fine("keys", "trust", written(folder / "hq.keys", hq.fine("hq", "keys", "current")))


@contextmanager
def cabinet_at_work(cabinet: Terminal) -> Iterator[Store]:
    """The cabinet runs."""
    with opened_store(read(cabinet.folder), SystemClock()) as store:
        store.journal.committed = store.relay.wake
        store.relay.start()
        try:
            yield store
        finally:
            store.relay.stop()


@contextmanager
def headquarters_at_work(hq: Terminal) -> Iterator[None]:
    """Headquarters runs."""
    settings = read(hq.folder)
    with headquarters(settings, broker(settings)):
        yield


def join(store: Store) -> int:
    """Somebody joins; how many entries there are now."""
    size = store.journal.size()
    store.imports.people(new_command(), f"nom;rôles\nPersonne {size};technicien\n".encode(), no_progress)
    return store.journal.size()


def all_is_seen(store: Store) -> None:
    """Wait for headquarters' word, which the cabinet believes."""
    wait_until(lambda: store.relay.view.size == store.journal.size(), "headquarters' cosignature")
    assert store.relay.halted is None


def seen_receipt(cabinet: Terminal, hq: Terminal, file: Path) -> Path:
    """The receipt of a new entry, once headquarters has seen it."""
    with headquarters_at_work(hq), cabinet_at_work(cabinet) as store:
        size = join(store)
        all_is_seen(store)
        cabinet.fine("receipt", str(size), file)
    return file


def signers(receipt: Path) -> list[bytes]:
    """The ids of the keys that signed a receipt's head, the cabinet's first."""
    return [signature.id for signature in Note.parse(Receipt.parse(receipt.read_bytes()).checkpoint).signatures]


def own_head(store: Store, key: SigningKey) -> bytes:
    """The head of all that this journal has, signed by this key."""
    tree = store.journal.frontier(store.journal.size())
    return checkpoint.sign(Checkpoint(key.verifier.name, tree.size, tree.root()), [key])


# ---- in order


def test_keys_change_at_both_ends_and_every_receipt_still_verifies(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    receipts = [seen_receipt(cabinet, hq, tmp_path / "first")]

    cabinet.fine("keys", "rotate")
    introduced(cabinet, hq, tmp_path)
    receipts.append(seen_receipt(cabinet, hq, tmp_path / "two cabinet keys"))
    cabinet.fine("keys", "retire")
    receipts.append(seen_receipt(cabinet, hq, tmp_path / "new cabinet key"))
    introduced(cabinet, hq, tmp_path)

    hq.fine("hq", "keys", "rotate")
    receipts.append(seen_receipt(cabinet, hq, tmp_path / "two headquarters keys"))
    before = written(tmp_path / "before.keys", (cabinet.folder / keys.VERIFIER_KEYS).read_text())
    believe(cabinet, hq, tmp_path)
    hq.fine("hq", "keys", "retire")
    receipts.append(seen_receipt(cabinet, hq, tmp_path / "new headquarters key"))
    believe(cabinet, hq, tmp_path)

    old, old_hq, new, new_hq = (key.id for key in keys.public(cabinet.folder))
    assert list(map(signers, receipts)) == [
        [old, old_hq],
        [old, new, old_hq],
        [new, old_hq],
        [new, old_hq, new_hq],
        [new, new_hq],
    ]
    everything = written(tmp_path / "all.keys", hq.fine("hq", "keys", "show"))
    for receipt in receipts:
        (verdict,) = verify(receipt, Keyring.parse(everything.read_text()), no_progress)
        assert verdict.seen is not None
    cabinet.fine("verify", *receipts)
    # Who was not given the new key sees that the cabinet has signed, and no more.
    (verdict,) = verify(receipts[-1], Keyring.parse(before.read_text()), no_progress)
    assert verdict.seen is None
    with pytest.raises(Unproven) as unproven:
        verify(receipts[-1], Keyring.parse(f"{LOG_KEY.verifier}"), no_progress)
    assert unproven.value.fault is Fault.UNKNOWN_KEY


def test_a_cabinet_that_has_nothing_new_to_say_is_answered_under_headquarters_new_key(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    # Its last head bears the old cosignature only; without another one it would be told nothing that it believes, for ever.
    receipt = seen_receipt(cabinet, hq, tmp_path / "receipt")
    for command in ("rotate", "retire"):
        hq.fine("hq", "keys", command)
    believe(cabinet, hq, tmp_path)
    with headquarters_at_work(hq), cabinet_at_work(cabinet) as store:
        all_is_seen(store)
        join(store)
        all_is_seen(store)
    cabinet.fine("verify", receipt)


def test_a_cabinet_that_was_told_of_no_headquarters_believes_nobody_and_says_so(
    cabinet: Terminal, hq: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_STATUS_SECONDS", 0.3)
    (cabinet.folder / keys.HEADQUARTERS_KEYS).unlink()
    with headquarters_at_work(hq), cabinet_at_work(cabinet) as store:
        join(store)
        wait_until(lambda: t("cli.health.untrusted") in hq.fine("hq", "status"), "headquarters knows of it")
        assert (store.relay.halted, store.relay.view.size, store.relay.view.trouble) == ("untrusted", 0, None)
        believe(cabinet, hq, tmp_path)
        wait_until(lambda: store.relay.halted is None, "the key counts")
        all_is_seen(store)


# ---- after a theft


def test_a_stolen_key_of_headquarters_convinces_a_running_cabinet_no_more_once_it_was_taken_back(
    cabinet: Terminal, hq: Terminal, thief: Ear, tmp_path: Path
) -> None:
    receipt = seen_receipt(cabinet, hq, tmp_path / "receipt")
    stolen = keys.secret(hq.folder, keys.WITNESS_KEY)
    for command in ("rotate", "retire"):
        hq.fine("hq", "keys", command)
    (own,) = keys.secret(cabinet.folder, keys.LOG_KEY)
    thief.say(topics.HEADQUARTERS_STATUS, encode(HeadquartersStatus(online=True, instance="one")), retain=True)
    with cabinet_at_work(cabinet) as store:

        def forge() -> None:
            note = checkpoint.cosign(own_head(store, own), stolen, int(time.time()))
            ack = Ack("one", store.journal.stream, note.decode(), None)
            thief.say(topics.ack(store.journal.node), encode(ack), retain=True)

        believed = join(store)
        forge()
        wait_until(lambda: store.relay.view.size == believed, "the danger: it is believed")
        believe(cabinet, hq, tmp_path)
        join(store)
        forge()
        wait_until(lambda: store.relay.halted == "untrusted", "the forgery is noticed")
        assert store.relay.view.size == believed
    with headquarters_at_work(hq), cabinet_at_work(cabinet) as store:
        all_is_seen(store)
    cabinet.fine("verify", receipt)


def test_a_stolen_key_of_a_cabinet_signs_nothing_more_that_headquarters_takes_once_it_is_retired(
    cabinet: Terminal, hq: Terminal, thief: Ear, tmp_path: Path
) -> None:
    receipt = seen_receipt(cabinet, hq, tmp_path / "receipt")
    (stolen,) = keys.secret(cabinet.folder, keys.LOG_KEY)
    cabinet.fine("keys", "rotate")
    introduced(cabinet, hq, tmp_path)
    cabinet.fine("keys", "retire")
    with headquarters_at_work(hq), inside(hq.folder) as (central, supervision):
        with cabinet_at_work(cabinet) as store:
            join(store)
            all_is_seen(store)
            introduced(cabinet, hq, tmp_path)
            time.sleep(1.1)  # until headquarters looks again
        with opened_store(read(cabinet.folder), SystemClock()) as store:
            seen = store.journal.size()
            for body in store.journal.read(seen, join(store) - seen):
                thief.say(event_topic(body), body)
            thief.say(topics.checkpoint(store.journal.node), own_head(store, stolen))
            wait_until(lambda: bool(supervision.alarms()), "the alarm")
            assert [(alarm.kind, alarm.node) for alarm in supervision.alarms()] == [("rejected", store.journal.node)]
            assert [one.topic for one in supervision.quarantined()] == [topics.checkpoint(store.journal.node)]
            answer = central.answer(store.journal.node, store.journal.stream)
            assert answer is not None
            assert answer.cosigned is not None
            assert (answer.size, size_of(answer.cosigned)) == (seen, seen)
        with cabinet_at_work(cabinet) as store:
            all_is_seen(store)
    cabinet.fine("verify", receipt)
