"""What somebody with a cabinet's right to publish may send, and headquarters stands."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from kiosk.hq.admission import admit
from kiosk.hq.subscriber import Subscriber
from kiosk.ledger.entry import NO_ENTRY, digest, unseal
from kiosk.ledger.errors import BadEntry
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import HEAD, MOST_WANTED, Ack, CabinetStatus, decode, encode
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.prefix import Sealed, Stored
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import NODE, STREAM, Ear, a_chain, an_entry, headquarters, stored
from tests.services import wait_until

TOPIC = topics.event(NODE, "cabinet.door_left_open")


def changed(**attributes: object) -> bytes:
    """An entry's bytes with other attributes, canonical still."""
    plain = json.loads(a_chain(1)[0].body) | attributes
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


RUBBISH: dict[str, bytes] = {
    "nothing": b"",
    "not text": b"\xff\xfe\x00",
    "not JSON": b"{",
    "a number": b"7",
    "another object": b'{"id":"a:b:1"}',
    "deeper than any parser goes": b"[" * 60_000,
    "too large": changed(data={"visit": "v" * 70_000, "person": "p"}),
    "spaces": json.dumps(json.loads(a_chain(1)[0].body)).encode(),
    "another spelling of a letter": a_chain(1)[0].body.replace(b'"p-nadia"', b'"p-n\\u0061dia"'),
    "a null character": changed(subject="v\x00").replace(b"\x00", b"\\u0000"),
    "half a character": changed(subject="\ud800"),
    "half a character, escaped": a_chain(1)[0].body.replace(b'"p-nadia"', b'"\\ud800"'),
    "a subject that is no text": changed(subject=["v"]),
    "a type that is no text": changed(type=None),
    "a name longer than any index takes": changed(subject="v" * 3_000),
    "data that is a list": changed(data=["visit"]),
    "no sequence": changed(id=f"{NODE}:{STREAM}:0", sequence="0"),
    "a sequence beyond 32 bits": changed(id=f"{NODE}:{STREAM}:4294967297", sequence="4294967297"),
    "a negative sequence": changed(id=f"{NODE}:{STREAM}:-1", sequence="-1"),
    "a stream with a wildcard": changed(id=f"{NODE}:#:1"),
    "prev that is no digest": changed(prev="before"),
}


@pytest.mark.parametrize("payload", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_is_refused_with_a_reason(payload: bytes) -> None:
    with pytest.raises(BadEntry):
        admit(TOPIC, payload)


@pytest.mark.parametrize(
    "topic",
    [
        topics.event("another-cabinet", "cabinet.door_left_open"),
        topics.event(NODE, "custody.taken"),
        topics.event(NODE, "cabinet.door_left_open.twice"),
    ],
)
def test_an_entry_is_refused_on_another_cabinets_or_another_types_topic(topic: str) -> None:
    good = a_chain(1)[0].body
    assert admit(TOPIC, good).body == good
    with pytest.raises(BadEntry):
        admit(topic, good)


@contextmanager
def listening(
    url: str, broker: BrokerAddress, ear: MakeEar
) -> Iterator[tuple[Database, Subscriber, Ear, Callable[[int], None]]]:
    """Headquarters, somebody to talk to it, and a way to wait for its acknowledgement."""
    with headquarters(url, broker) as (central, subscriber):
        wait_until(lambda: subscriber.online, "headquarters is there")
        one = ear(broker, topics.ack(NODE), topics.wanted(NODE))

        def acknowledged(size: int) -> None:
            one.until(lambda _, payload: (ack := decode(payload, Ack)) is not None and ack.size == size)

        yield central, subscriber, one, acknowledged


def test_good_entries_pass_between_rubbish_of_every_kind(
    database_url: str, broker: BrokerAddress, ear: MakeEar
) -> None:
    chain = a_chain(3)
    with listening(database_url, broker, ear) as (central, subscriber, someone, acknowledged):
        someone.say(TOPIC, chain[0].body)
        for payload in RUBBISH.values():
            someone.say(TOPIC, payload)
        someone.say(topics.event("another-cabinet", "cabinet.door_left_open"), chain[1].body)
        someone.say(topics.status(NODE), b"rubbish")
        someone.say(topics.status(NODE), b"\xff")
        someone.say(topics.document(NODE, "a" * 64), b"rubbish")  # type: ignore[arg-type]
        someone.say(f"{topics.ROOT}/from/{NODE}/documents/not-a-digest", b"rubbish")
        someone.say(topics.HEADQUARTERS_STATUS, b"rubbish")
        for sealed in chain[1:]:
            someone.say(TOPIC, sealed.body)
        acknowledged(3)
        assert stored(central) == [sealed.body for sealed in chain]
        # On its own topic each piece of rubbish is counted; what is on no topic of ours is not even looked at.
        assert subscriber.counts["rejected"] == len(RUBBISH) + 1 + 2 + 1


def test_each_rejection_is_logged_with_the_digest_of_what_was_rejected(
    database_url: str, broker: BrokerAddress, ear: MakeEar, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(database_url, broker, ear) as (_, subscriber, someone, __):
        someone.say(TOPIC, b"{")
        wait_until(lambda: subscriber.counts["rejected"] == 1, "the rejection")
    assert f"ALARM: rejected {digest(b'{')} on {TOPIC}" in caplog.text


def test_an_entry_that_the_database_does_not_take_stops_no_other(
    database_url: str, broker: BrokerAddress, ear: MakeEar, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, store = a_chain(4), CentralStore.store

    def choking(self: CentralStore, batch: list[Sealed]) -> Stored:
        if any(sealed.entry.sequence == 4 for sealed in batch):
            raise OverflowError("nobody thought of this")
        return store(self, batch)

    monkeypatch.setattr(CentralStore, "store", choking)
    with listening(database_url, broker, ear) as (central, subscriber, someone, acknowledged):
        for sealed in reversed(chain):
            someone.say(TOPIC, sealed.body)
        acknowledged(3)
        assert stored(central) == [sealed.body for sealed in chain[:3]]
        assert subscriber.counts["rejected"] == 1


def test_entries_out_of_order_and_twice_are_acknowledged_as_the_prefix_grows(
    database_url: str, broker: BrokerAddress, ear: MakeEar
) -> None:
    chain = a_chain(3)
    with listening(database_url, broker, ear) as (central, _, someone, acknowledged):
        for number, size in ((2, 0), (1, 0), (1, 0), (0, 3), (0, 3), (2, 3)):
            someone.say(TOPIC, chain[number].body)
            acknowledged(size)
        assert stored(central) == [sealed.body for sealed in chain]


def test_other_bytes_under_the_same_key_raise_an_alarm_and_change_nothing(
    database_url: str, broker: BrokerAddress, ear: MakeEar, caplog: pytest.LogCaptureFixture
) -> None:
    chain, fork = a_chain(2), a_chain(2, fork="other-")
    with listening(database_url, broker, ear) as (central, subscriber, someone, acknowledged):
        someone.say(TOPIC, chain[0].body)
        acknowledged(1)
        someone.say(TOPIC, fork[0].body)
        acknowledged(1)
        someone.say(TOPIC, chain[1].body)
        acknowledged(2)
        assert stored(central) == [sealed.body for sealed in chain]
        assert subscriber.counts["altered"] == 1
    assert f"ALARM: altered entry {fork[0].entry.id}" in caplog.text


def test_a_type_from_the_future_is_acknowledged_and_its_documents_are_asked_for(
    database_url: str, broker: BrokerAddress, ear: MakeEar
) -> None:
    future = an_entry(1, NO_ENTRY, "custody.beamed_up", {"item": "i-1", "statement": "a" * 64, "profile": ["x"]})
    with listening(database_url, broker, ear) as (central, subscriber, someone, _):
        someone.say(topics.event(NODE, "custody.beamed_up"), future.body)
        assert someone.until(lambda topic, _: topic == topics.wanted(NODE)) == encode(["a" * 64])
        assert unseal(stored(central)[0]).type == "custody.beamed_up"
        assert subscriber.counts["rejected"] == subscriber.counts["unfolded"] == 0


def test_documents_are_asked_for_in_messages_of_a_bearable_size_and_again_while_they_are_missing(
    database_url: str, broker: BrokerAddress, ear: MakeEar
) -> None:
    prev, count = NO_ENTRY, 2 * MOST_WANTED + 5
    with listening(database_url, broker, ear) as (_, __, someone, acknowledged):
        for number in range(count):
            entry = an_entry(number + 1, prev, "custody.beamed_up", {"statement": f"{number:064x}"}, f"s-{number}")
            prev = digest(entry.body)
            someone.client.publish(topics.event(NODE, "custody.beamed_up"), entry.body, 1)
        acknowledged(count)
        someone.say(topics.status(NODE), encode(CabinetStatus(online=True, version="1", stream=STREAM)))
        asked: list[str] = []
        while len(asked) < 2 * count:
            topic, payload, _ = someone.next()
            if topic == topics.wanted(NODE):
                asked += (digests := json.loads(payload))
                assert len(digests) <= MOST_WANTED
        assert {asked.count(f"{number:064x}") for number in range(count)} <= {1, 2, 3}


@pytest.mark.parametrize(
    "frame",
    [
        HEAD.pack(0, 0) + b"x",
        HEAD.pack(1, 1) + b"x",
        HEAD.pack(0, 4_000_000_000) + b"x",
        HEAD.pack(0, 1),
        HEAD.pack(0, 1) + bytes(64 * 1024 + 1),
        b"",
    ],
)
def test_a_frame_that_is_none_is_passed_over(
    database_url: str, broker: BrokerAddress, ear: MakeEar, frame: bytes
) -> None:
    entry = an_entry(1, NO_ENTRY, "custody.beamed_up", {"statement": "a" * 64})
    with listening(database_url, broker, ear) as (_, subscriber, someone, acknowledged):
        someone.say(topics.event(NODE, "custody.beamed_up"), entry.body)
        acknowledged(1)
        someone.say(topics.document(NODE, "a" * 64), frame)  # type: ignore[arg-type]
        someone.say(topics.status(NODE), encode(CabinetStatus(online=True, version="1", stream=STREAM)))
        acknowledged(1)
        assert subscriber.counts["documents"] == 0


def test_a_cabinets_presence_asks_how_far_headquarters_has_got(
    database_url: str, broker: BrokerAddress, ear: MakeEar
) -> None:
    with listening(database_url, broker, ear) as (_, __, someone, acknowledged):
        someone.say(topics.status(NODE), encode(CabinetStatus(online=True, version="1", stream="never-heard-of")))
        acknowledged(0)
