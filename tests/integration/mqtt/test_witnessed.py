"""What the relay believes: headquarters' signature over its own history, and nothing else that comes over the broker."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete

from kiosk.domain.errors import StorageFailed
from kiosk.ledger.checkpoint import WITNESS, Checkpoint, open_signed
from kiosk.ledger.entry import unseal
from kiosk.ledger.merkle import Frontier, leaf_hash
from kiosk.ledger.note import Kind
from kiosk.mqtt import relay as relay_module
from kiosk.mqtt import topics, window
from kiosk.mqtt.client import BrokerAddress, Published
from kiosk.mqtt.messages import CabinetStatus, decode
from kiosk.mqtt.relay import DENIED, Relay
from kiosk.mqtt.track import HEAD_EVERY
from kiosk.mqtt.window import WINDOW
from kiosk.services.heads import cosigned_cursor, refusal_cursor
from kiosk.services.ports import Trouble
from kiosk.store.tables import subtrees
from tests.conftest import StartMosquitto
from tests.integration.hq.conftest import MakeCabinet, MakeEar
from tests.integration.hq.parts import NODE, Cabinet, a_key
from tests.integration.mqtt.puppet import AT, NOWHERE, Puppet, a_cosigned_head, a_refusal
from tests.services import LOOPBACK, wait_until

#: Of headquarters' name, and this cabinet was not given it.
STRANGE_KEY = a_key(WITNESS, Kind.COSIGNATURE, "strange")


def halted(relay: Relay, why: str | None) -> None:
    """Wait until the relay has stopped for this reason, or goes on."""
    wait_until(lambda: relay.halted == why, why or "going on", 10)


def acked(relay: Relay, size: int) -> None:
    """Wait until the relay has counted this."""
    wait_until(lambda: relay.status.acked == size, f"an acknowledgement of {size}", 10)


def goes_on(cabinet: Cabinet, puppet: Puppet, refusal: bytes | None = None) -> None:
    """What is recorded now is sent, and its acknowledgement is counted."""
    cabinet.record_many(1)
    size = cabinet.journal.size()
    puppet.hears(size, size)
    puppet.ack(cabinet, size, refusal=refusal)
    acked(cabinet.relay, size)
    assert cabinet.relay.view.trouble is None


def stays(relay: Relay, trouble: Trouble) -> None:
    """Nothing is taken, now and in a while."""
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        assert relay.view.trouble is trouble
        time.sleep(0.01)


@pytest.fixture
def seen(cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet) -> Cabinet:
    """A cabinet of five entries, all of them signed for."""
    cabinet.record_many(5)
    puppet.welcome(cabinet)
    cabinet.connect(broker)
    puppet.hears(1, 5)
    puppet.ack(cabinet, 5)
    acked(cabinet.relay, 5)
    return cabinet


# ---- heads


@pytest.mark.parametrize(("on_the_way", "reach"), [(20, WINDOW // 9 * 9), (2_000, WINDOW)])
def test_a_signed_head_goes_just_before_the_entries_that_it_covers(
    cabinet: Cabinet,
    mosquitto: StartMosquitto,
    ear: MakeEar,
    on_the_way: int,
    reach: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(window, "FIRST_PATIENCE", 10.0)
    rules = f"listener {{port}} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages {on_the_way}\n"
    broker = BrokerAddress(LOOPBACK, mosquitto(rules).port)
    cabinet.record_many(2 * WINDOW)
    listening = ear(broker, topics.EVERY_CHECKPOINT, topics.EVERY_EVENT)
    Puppet(ear, broker).welcome(cabinet)
    cabinet.connect(broker)
    tree, head = Frontier(), Checkpoint(cabinet.heads.origin, 0, b"")
    while tree.size < reach:
        topic, payload, _ = listening.next()
        if topic == topics.checkpoint(NODE):
            assert tree.size == head.size, "a head came before the entries of the last one"
            head = open_signed(payload, cabinet.heads.origin, [cabinet.keys[0].verifier])
            assert 0 < head.size - tree.size <= HEAD_EVERY
        else:
            tree.append(leaf_hash(payload))
            assert unseal(payload).sequence == tree.size <= head.size
        assert tree.size < head.size or tree.root() == head.root


def test_what_is_sent_again_goes_under_a_head_again(seen: Cabinet, puppet: Puppet) -> None:
    assert puppet.sees(seen).size == 5
    seen.record_many(3)
    puppet.hears(6, 8)
    assert puppet.sees(seen).size == 8
    puppet.hears(6, 8)
    assert puppet.sees(seen) == Checkpoint(seen.heads.origin, 8, seen.journal.frontier(8).root())


def test_with_two_keys_during_a_change_both_sign(seen: Cabinet, puppet: Puppet) -> None:
    puppet.sees(seen)
    new = a_key(seen.heads.origin, Kind.ED25519, "new")
    old = seen.keys[0]
    seen.keys.append(new)
    seen.record_many(1)
    note = puppet.next_head()
    for key in (old, new):
        assert open_signed(note, seen.heads.origin, [key.verifier]).size == 6


# ---- what has been seen


def test_what_headquarters_has_seen_and_when_is_known_also_after_a_restart_without_it(
    seen: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    view = seen.relay.view
    assert (view.size, view.at, view.online, view.trouble) == (5, datetime.fromtimestamp(AT, UTC), True, None)
    seen.disconnect()
    puppet.go()
    view = seen.connect(broker).view
    assert (view.size, view.at, view.online) == (5, datetime.fromtimestamp(AT, UTC), False)


@pytest.mark.parametrize("spoil", [lambda note: note.replace("\n5\n", "\n4\n"), lambda note: "rubbish"])
def test_a_remembered_signature_that_does_not_convince_any_more_is_forgotten_and_everything_is_sent_again(
    seen: Cabinet, broker: BrokerAddress, puppet: Puppet, spoil: Callable[[str], str]
) -> None:
    seen.disconnect()
    puppet.welcome(seen, "two")
    name = cosigned_cursor(seen.journal.stream)
    seen.local.keep_cursor(name, spoil(seen.local.cursor(name) or ""))
    assert seen.connect(broker).view.at is None
    puppet.hears(1, 5)


def test_a_remembered_signature_over_another_history_stops_the_relay_until_headquarters_has_answered(
    seen: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    seen.disconnect()
    puppet.go()
    seen.local.keep_cursor(cosigned_cursor(seen.journal.stream), a_cosigned_head(seen, 5, NOWHERE).decode())
    relay = seen.connect(broker)
    assert (relay.halted, relay.status.acked, relay.view.size) == ("diverged", 0, 0)
    puppet.come("two")
    puppet.hears_nothing()
    puppet.welcome(seen, "two")
    puppet.hears(1, 5)
    assert relay.halted is None


def test_a_journal_that_is_shorter_than_what_it_remembers_takes_nothing_also_without_headquarters(
    seen: Cabinet, broker: BrokerAddress, puppet: Puppet, caplog: pytest.LogCaptureFixture
) -> None:
    seen.disconnect()
    puppet.go()
    seen.local.keep_cursor(cosigned_cursor(seen.journal.stream), a_cosigned_head(seen, 9, NOWHERE).decode())
    relay = seen.connect(broker)
    assert (relay.halted, relay.view.trouble, relay.status.acked) == ("behind", Trouble.BEHIND, 0)
    assert "ALARM: the relay has stopped (behind): headquarters has signed for 9 entries" in caplog.text


def test_a_journal_whose_tree_is_damaged_does_not_start_and_says_why(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    cabinet.record_many(20)
    head = a_cosigned_head(cabinet, 20).decode()
    cabinet.local.keep_cursor(cosigned_cursor(cabinet.journal.stream), head)
    with cabinet.database.write() as connection:
        connection.execute(delete(subtrees))
    with pytest.raises(StorageFailed, match="no hash of subtree 0 at level 4"):
        cabinet.connect(broker)


# ---- signatures that are none


def test_an_acknowledgement_by_an_unknown_key_is_not_believed_until_the_key_is_given(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, caplog: pytest.LogCaptureFixture
) -> None:
    cabinet.record_many(5)
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    puppet.hears(1, 5)
    for _ in range(3):
        puppet.answer(cabinet, a_cosigned_head(cabinet, 5, key=STRANGE_KEY))
    halted(relay, "untrusted")
    time.sleep(0.2)
    assert relay.status.acked == 0
    assert relay.view.at is None
    assert caplog.text.count("ALARM: the relay has stopped (untrusted)") == 1
    cabinet.trusted.append(STRANGE_KEY.verifier)
    puppet.answer(cabinet, a_cosigned_head(cabinet, 5, key=STRANGE_KEY))
    acked(relay, 5)
    assert relay.halted is None


def test_while_nothing_is_believed_headquarters_is_asked_from_time_to_time(
    seen: Cabinet, broker: BrokerAddress, puppet: Puppet, ear: MakeEar, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Or a key that is given meanwhile would count only at the next entry.
    monkeypatch.setattr(relay_module, "_STATUS_SECONDS", 0.3)
    listening = ear(broker, topics.status(NODE))
    puppet.answer(seen, a_cosigned_head(seen, 5, key=STRANGE_KEY))
    halted(seen.relay, "untrusted")
    told = [decode(listening.next()[1], CabinetStatus) for _ in range(4)]
    assert [status.health for status in told if status][-2:] == ["untrusted"] * 2
    seen.trusted.append(STRANGE_KEY.verifier)
    puppet.answer(seen, a_cosigned_head(seen, 5, key=STRANGE_KEY))
    halted(seen.relay, None)


@pytest.mark.parametrize("by_whom", ["nobody that is known", "headquarters, of another cabinet's head"])
def test_a_forged_refusal_changes_nothing_and_raises_an_alarm(
    seen: Cabinet, puppet: Puppet, make_cabinet: MakeCabinet, caplog: pytest.LogCaptureFixture, by_whom: str
) -> None:
    other = make_cabinet("armoire-8")
    forged = a_refusal(seen, 5, key=STRANGE_KEY) if "nobody" in by_whom else a_refusal(other, 0)
    puppet.ack(seen, 5, refusal=forged)
    halted(seen.relay, "untrusted")
    assert "ALARM: the relay has stopped (untrusted)" in caplog.text
    assert seen.relay.status.acked == 5
    assert seen.relay.view.trouble is None, "takes go on"
    assert seen.local.cursor(refusal_cursor(seen.journal.stream)) is None
    puppet.ack(seen, 5)
    halted(seen.relay, None)
    goes_on(seen, puppet)


# ---- refusals


@pytest.mark.parametrize("size", [3, 5, 50])
def test_the_refusal_of_somebody_elses_head_stops_nothing(seen: Cabinet, puppet: Puppet, size: int) -> None:
    refusal = a_refusal(seen, size, NOWHERE)
    puppet.ack(seen, 5, refusal=refusal)
    goes_on(seen, puppet, refusal)
    assert seen.relay.halted is None


def test_the_refusal_of_our_own_head_stops_everything_and_is_remembered(
    seen: Cabinet, broker: BrokerAddress, puppet: Puppet, caplog: pytest.LogCaptureFixture
) -> None:
    puppet.ack(seen, 5, refusal=a_refusal(seen, 3))
    halted(seen.relay, "refused")
    assert seen.relay.view.trouble is Trouble.REFUSED
    assert caplog.text.count("ALARM: the relay has stopped (refused)") == 1
    seen.record_many(1)
    puppet.hears_nothing(1.5)
    seen.disconnect()
    puppet.go()
    relay = seen.connect(broker)
    assert relay.view.trouble is Trouble.REFUSED, "before headquarters has said anything"
    puppet.come("two")
    puppet.ack(seen, 5, "two")
    stays(relay, Trouble.REFUSED)
    puppet.hears_nothing(1)


def test_a_refusal_stops_takes_also_when_the_disk_does_not_take_it(
    seen: Cabinet, puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_name: str, _value: str) -> None:
        raise StorageFailed(reason="SQLITE_FULL")

    monkeypatch.setattr(seen.local, "keep_cursor", full)
    puppet.ack(seen, 5, refusal=a_refusal(seen, 5))
    halted(seen.relay, "refused")
    stays(seen.relay, Trouble.REFUSED)


def a_forged_answer(cabinet: Cabinet, puppet: Puppet) -> None:
    puppet.answer(cabinet, a_cosigned_head(cabinet, 5, key=STRANGE_KEY))


def a_denial(cabinet: Cabinet, _: Puppet) -> None:
    cabinet.relay._inbox.put(Published(1, DENIED))


def a_plain_answer_of_a_new_instance(cabinet: Cabinet, puppet: Puppet) -> None:
    puppet.come("two")
    puppet.ack(cabinet, 5, "two")


@pytest.mark.parametrize("happens", [a_forged_answer, a_denial, a_plain_answer_of_a_new_instance])
def test_nothing_that_anybody_sends_later_hides_a_refusal(
    seen: Cabinet, puppet: Puppet, happens: Callable[[Cabinet, Puppet], None]
) -> None:
    puppet.ack(seen, 5, refusal=a_refusal(seen, 5))
    halted(seen.relay, "refused")
    happens(seen, puppet)
    stays(seen.relay, Trouble.REFUSED)
    assert seen.relay.halted == "refused"


@pytest.mark.parametrize("happens", [a_forged_answer, a_denial])
def test_nothing_that_anybody_forges_hides_that_the_journal_is_too_short(
    seen: Cabinet, puppet: Puppet, happens: Callable[[Cabinet, Puppet], None]
) -> None:
    puppet.answer(seen, a_cosigned_head(seen, 9, NOWHERE))
    halted(seen.relay, "behind")
    happens(seen, puppet)
    stays(seen.relay, Trouble.BEHIND)


# ---- other histories


def test_when_headquarters_has_signed_for_another_history_ours_is_shown_and_only_its_refusal_counts(
    seen: Cabinet, puppet: Puppet
) -> None:
    puppet.sees(seen)
    puppet.answer(seen, a_cosigned_head(seen, 4, NOWHERE))
    halted(seen.relay, "diverged")
    ours = Checkpoint(seen.heads.origin, 4, seen.journal.frontier(4).root())
    assert puppet.sees(seen) == ours
    assert seen.relay.status.acked == 5
    assert seen.relay.view.trouble is None
    seen.record_many(1)
    puppet.hears_nothing(1.2)
    puppet.answer(seen, a_cosigned_head(seen, 4, NOWHERE), a_refusal(seen, 4))
    halted(seen.relay, "refused")
    assert seen.relay.view.trouble is Trouble.REFUSED


def test_our_history_is_shown_until_it_is_answered(
    seen: Cabinet, puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "_STATUS_SECONDS", 0.3)
    puppet.sees(seen)
    puppet.answer(seen, a_cosigned_head(seen, 4, NOWHERE))
    for _ in range(3):
        assert puppet.sees(seen).size == 4
    puppet.ack(seen, 5)
    halted(seen.relay, None)
    goes_on(seen, puppet)


def test_a_lower_signature_of_a_new_instance_over_another_history_is_not_counted(seen: Cabinet, puppet: Puppet) -> None:
    puppet.come("two")
    puppet.answer(seen, a_cosigned_head(seen, 2, NOWHERE), instance="two")
    halted(seen.relay, "diverged")
    assert seen.relay.status.acked == 5
    assert seen.relay.view.size == 5
