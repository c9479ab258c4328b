"""The relay against a real broker, with a headquarters that is moved by hand."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kiosk.mqtt import topics, window
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import CHUNK, CabinetStatus, decode, encode, read_frame
from kiosk.mqtt.relay import Relay
from kiosk.mqtt.track import HEAD_EVERY
from kiosk.services.ports import Trouble
from tests.conftest import StartMosquitto
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import NODE, Cabinet, Ear
from tests.integration.mqtt.puppet import NOWHERE, Puppet, a_cosigned_head
from tests.services import LOOPBACK, dying_with_us, wait_until


def acked(relay: Relay, size: int) -> None:
    """Wait until the relay has counted this."""
    wait_until(lambda: relay.status.acked == size, f"an acknowledgement of {size}", 5)


def status(listening: Ear, *, online: bool) -> CabinetStatus:
    """The next presence message that says so."""

    def fits(_: str, payload: bytes) -> bool:
        said = decode(payload, CabinetStatus)
        return said is not None and said.online is online

    said = decode(listening.until(fits), CabinetStatus)
    assert said is not None
    return said


def test_nothing_is_sent_while_headquarters_is_absent(cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet) -> None:
    cabinet.record_many(3)
    relay = cabinet.connect(broker)
    wait_until(lambda: relay.status.connected, "the connection")
    puppet.hears_nothing()
    puppet.welcome(cabinet)
    puppet.hears(1, 3)
    puppet.go()
    wait_until(lambda: not relay.status.headquarters, "headquarters is away")
    cabinet.record_many(3)
    puppet.hears_nothing(2.5)
    puppet.come()
    puppet.hears(1, 6)


def test_at_most_a_window_of_entries_is_ahead_of_the_acknowledgement(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "WINDOW", 2 * HEAD_EVERY)
    monkeypatch.setattr(window, "FIRST_PATIENCE", 10.0)
    cabinet.record_many(5 * HEAD_EVERY)
    puppet.welcome(cabinet)
    cabinet.connect(broker)
    puppet.hears(1, 2 * HEAD_EVERY)
    puppet.hears_nothing(0.4)
    puppet.ack(cabinet, HEAD_EVERY)
    puppet.hears(2 * HEAD_EVERY + 1, 3 * HEAD_EVERY)
    puppet.hears_nothing(0.4)
    puppet.ack(cabinet, 3 * HEAD_EVERY)
    puppet.hears(3 * HEAD_EVERY + 1, 5 * HEAD_EVERY)


def test_what_the_broker_took_and_headquarters_did_not_acknowledge_is_sent_again_and_again(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    cabinet.record_many(3)
    puppet.welcome(cabinet)
    cabinet.connect(broker)
    puppet.hears(1, 3)
    began = time.monotonic()
    puppet.hears(1, 3)
    assert 0.7 < time.monotonic() - began < 1.8, "the first wait is a second"
    puppet.hears(1, 3)
    assert time.monotonic() - began > 2.2, "and it doubles"
    puppet.ack(cabinet, 2)
    puppet.hears(3, 3)


def test_an_acknowledged_entry_is_not_sent_again(cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet) -> None:
    cabinet.record_many(3)
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    puppet.hears(1, 3)
    puppet.ack(cabinet, 3)
    acked(relay, 3)
    puppet.hears_nothing(2)


def test_within_one_instance_an_acknowledgement_only_rises(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    cabinet.record_many(5)
    puppet.come()
    relay = cabinet.connect(broker)
    puppet.ack(cabinet, 4)
    acked(relay, 4)
    puppet.ack(cabinet, 2)
    time.sleep(0.2)
    assert relay.status.acked == 4
    puppet.ack(cabinet, 5)
    acked(relay, 5)


def test_a_new_instance_may_lower_it_and_is_sent_the_rest_again(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    cabinet.record_many(5)
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    puppet.hears(1, 5)
    puppet.ack(cabinet, 5, "one")
    acked(relay, 5)
    puppet.come("two")
    puppet.ack(cabinet, 2, "two")
    acked(relay, 2)
    puppet.hears(3, 5)


def test_a_new_instances_acknowledgement_counts_even_when_it_comes_before_its_presence(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    cabinet.record_many(5)
    puppet.come("one")
    relay = cabinet.connect(broker)
    puppet.ack(cabinet, 5, "one")
    acked(relay, 5)
    puppet.ack(cabinet, 1, "two")
    time.sleep(0.2)
    assert relay.status.acked == 5
    puppet.come("two")
    acked(relay, 1)


def test_acknowledgements_of_another_stream_or_of_an_instance_that_is_not_there_do_not_count(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    cabinet.record_many(5)
    puppet.come("one")
    relay = cabinet.connect(broker)
    puppet.answer(cabinet, a_cosigned_head(cabinet, 5), stream="an-earlier-journal")
    puppet.ack(cabinet, 5, "another")
    puppet.ear.say(topics.ack(NODE), b"rubbish")
    puppet.ear.say(
        topics.ack(NODE), b'{"instance":"one","stream":"%s","checkpoint":5}' % cabinet.journal.stream.encode()
    )
    time.sleep(0.3)
    assert relay.status.acked == 0
    puppet.ack(cabinet, 3, "one")
    acked(relay, 3)


def test_a_new_instance_that_says_nothing_is_asked_again(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, ear: MakeEar
) -> None:
    cabinet.record_many(1)
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    puppet.hears(1, 1)
    puppet.ack(cabinet, 1, "one")
    acked(relay, 1)
    listening = ear(broker, topics.status(NODE))
    status(listening, online=True)  # what was retained
    puppet.come("two")
    # There is nothing to send, so presence, told again, is the question.
    status(listening, online=True)


def test_nothing_but_presence_is_sent_until_this_instance_has_answered(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, ear: MakeEar
) -> None:
    cabinet.record_many(3)
    listening = ear(broker, topics.status(NODE))
    puppet.come()
    cabinet.connect(broker)
    for _ in range(3):
        status(listening, online=True)
    puppet.hears_nothing()
    puppet.answer(cabinet, None)
    puppet.hears(1, 3)
    puppet.ack(cabinet, 3)
    puppet.come("two")
    cabinet.record_many(1)
    puppet.hears_nothing(1.5)
    puppet.ack(cabinet, 3, "two")
    puppet.hears(4, 4)


def test_the_late_will_of_an_earlier_instance_does_not_stop_the_relay(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    puppet.welcome(cabinet, "two")
    relay = cabinet.connect(broker)
    wait_until(lambda: relay.status.headquarters, "headquarters is there")
    puppet.go("one")
    cabinet.record_many(1)
    puppet.hears(1, 1)


def test_a_journal_shorter_than_what_was_signed_for_stops_explains_and_goes_on_when_that_was_wrong(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, ear: MakeEar, caplog: pytest.LogCaptureFixture
) -> None:
    listening = ear(broker, topics.status(NODE))
    cabinet.record_many(2)
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    puppet.hears(1, 2)
    puppet.answer(cabinet, a_cosigned_head(cabinet, 7, NOWHERE))
    wait_until(lambda: relay.halted is not None, "the relay stops")
    assert relay.halted == relay.status.halted == "behind"
    assert relay.view.trouble is Trouble.BEHIND
    assert "headquarters has signed for 7 entries, this journal has 2" in caplog.text
    wait_until(lambda: status(listening, online=True).health == "behind", "headquarters is told")
    cabinet.record_many(1)
    puppet.hears_nothing(1.5)
    puppet.come("two")
    puppet.ack(cabinet, 2, "two")
    puppet.hears(3, 3)
    assert relay.halted is None
    assert relay.view.trouble is None


def test_an_entry_that_cannot_be_read_stops_the_relay(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    cabinet.record_many(2)
    monkeypatch.setattr(cabinet.journal, "read", lambda after, limit: [b"rubbish"])
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    wait_until(lambda: relay.halted == "unreadable_entry", "the relay stops")


def test_a_journal_that_does_not_answer_for_a_while_does_not_end_the_relay(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, times = cabinet.journal.read, iter(range(10))

    def failing(after: int, limit: int) -> list[bytes]:
        if next(times) < 1:
            raise OSError("the card was pulled")
        return read(after, limit)

    monkeypatch.setattr(cabinet.journal, "read", failing)
    cabinet.record_many(2)
    puppet.welcome(cabinet)
    cabinet.connect(broker)
    puppet.hears(1, 2)


def test_how_far_headquarters_had_got_is_remembered_across_a_restart_and_rarely_written(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    keep = cabinet.local.keep_cursor

    def noting(name: str, value: str) -> None:
        written.append(value)
        keep(name, value)

    monkeypatch.setattr(cabinet.local, "keep_cursor", noting)
    puppet.welcome(cabinet)
    began = time.monotonic()
    relay = cabinet.connect(broker)
    for size in range(1, 11):
        cabinet.record_many(1)
        puppet.hears(size, size)
        puppet.ack(cabinet, size)
        acked(relay, size)
    cabinet.disconnect()
    assert len(written) <= 2 + (time.monotonic() - began), "at most once a second"
    assert written[-1] == a_cosigned_head(cabinet, 10).decode()
    cabinet.record_many(1)
    assert cabinet.connect(broker).status.acked == 10
    puppet.hears(11, 11)


def test_a_document_comes_in_chunks_when_it_is_asked_for(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet
) -> None:
    content = b"0123456789" * (3 * CHUNK // 10)
    name = cabinet.keep(content)
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    puppet.hears(1, 1)
    puppet.ack(cabinet, 1)
    acked(relay, 1)
    puppet.ear.say(topics.wanted(NODE), encode([name, "a" * 64]))
    frames = []
    for _ in range(4):
        topic, payload, _ = puppet.ear.next()
        assert topic == topics.document(NODE, name)
        frame = read_frame(payload)
        assert frame is not None
        assert frame.count == 4
        frames.append(frame)
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    whole = b"".join(frame.chunk for frame in frames)
    assert whole[32:] == content
    assert hashlib.sha256(whole).hexdigest() == name
    puppet.hears_nothing()


@pytest.mark.parametrize("request_", [b"rubbish", b'["../../etc/passwd"]', b'{"a":1}', b"\xff", b"[1]"])
def test_a_request_that_is_none_is_passed_over(
    cabinet: Cabinet, broker: BrokerAddress, puppet: Puppet, request_: bytes
) -> None:
    puppet.welcome(cabinet)
    relay = cabinet.connect(broker)
    wait_until(lambda: relay.status.headquarters, "headquarters is there")
    puppet.ear.say(topics.wanted(NODE), request_)
    cabinet.record_many(1)
    puppet.hears(1, 1)


def test_presence_is_retained_and_a_clean_stop_says_so(
    cabinet: Cabinet, any_broker: BrokerAddress, ear: MakeEar
) -> None:
    cabinet.record_many(4)
    listening = ear(any_broker, topics.EVERY_STATUS)
    relay = cabinet.connect(any_broker)
    here = status(listening, online=True)
    assert here == CabinetStatus(True, "1.2.3", cabinet.journal.stream, 4, here.health)
    late = ear(any_broker, topics.EVERY_STATUS)
    topic, payload, retained = late.next()
    assert (topic, decode(payload, CabinetStatus), retained) == (topics.status(NODE), here, True)
    relay.stop()
    assert status(listening, online=False).size == 4


def test_the_will_speaks_for_a_cabinet_that_was_cut_off(
    any_broker: BrokerAddress, ear: MakeEar, tmp_path: Path
) -> None:
    listening = ear(any_broker, topics.EVERY_STATUS)
    command = [*dying_with_us("KILL"), sys.executable, "-m", "tests.integration.mqtt.lone_cabinet"]
    arguments = [str(tmp_path / "alone"), str(any_broker.port), any_broker.protocol]
    with subprocess.Popen([*command, *arguments], cwd=Path(__file__).parents[3]) as alone:
        here = status(listening, online=True)
        alone.kill()
    gone = status(listening, online=False)
    assert (gone.version, gone.stream, gone.size) == (here.version, here.stream, None)


def test_stopping_is_quick_also_while_the_broker_is_away(cabinet: Cabinet, mosquitto: StartMosquitto) -> None:
    server = mosquitto()
    relay = cabinet.connect(BrokerAddress(LOOPBACK, server.port))
    wait_until(lambda: relay.status.connected, "the connection")
    server.stop()
    wait_until(lambda: not relay.status.connected, "its loss")
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < 3


def test_a_relay_that_was_never_started_can_be_stopped(cabinet: Cabinet, broker: BrokerAddress) -> None:
    relay = Relay(cabinet.journal, cabinet.local, broker, "1", cabinet.heads)
    relay.wake()
    relay.stop()
