"""What somebody with a cabinet's right to publish may send, and headquarters stands."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from kiosk.domain.events import ClientRegistered
from kiosk.domain.identifiers import ClientId, Digest
from kiosk.hq import session, witness
from kiosk.hq.admission import admit
from kiosk.hq.subscriber import Subscriber
from kiosk.hq.witness import SigningWitness
from kiosk.ledger.checkpoint import WITNESS, sign
from kiosk.ledger.entry import NO_ENTRY, digest, seal, unseal
from kiosk.ledger.errors import BadEntry, Fault
from kiosk.ledger.note import LARGEST_NOTE, Kind, Note, Signature
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import HEAD, MOST_WANTED, CabinetStatus, HeadquartersStatus, Recall, decode, encode
from kiosk.store import supervision
from kiosk.store.central import CentralStore, digest_of
from kiosk.store.database import Database
from kiosk.store.stream import Key, Sealed, SignedHead, Stored
from kiosk.store.supervision import Supervision
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import (
    HQ_KEY,
    NODE,
    STREAM,
    Ear,
    a_chain,
    a_door,
    a_head,
    a_key,
    an_entry,
    documents_of,
    headquarters,
    log_key,
    register_of,
    signed_for,
    stored,
)
from tests.services import wait_until

TOPIC = topics.event(NODE, "cabinet.door_left_open")


def bodies(chain: Sequence[Sealed]) -> list[bytes]:
    return [sealed.body for sealed in chain]


def changed(**attributes: object) -> bytes:
    """An entry's bytes with other attributes, canonical still."""
    plain = json.loads(a_chain(1)[0].body) | attributes
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


RUBBISH: dict[str, bytes] = {
    "nothing": b"",
    "not text": b"\xff\xfe\x00",
    "not JSON": b"{",
    "cut off": a_chain(1)[0].body[:300],
    "one byte short": a_chain(1)[0].body[:-1],
    "one byte more": a_chain(1)[0].body + b"\n",
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


class Voice(Ear):
    """Somebody with the right to publish in the cabinet's name."""

    def send(self, *chain: Sealed) -> None:
        """Publish entries where they belong."""
        for sealed in chain:
            self.say(topics.event(sealed.entry.node, sealed.entry.type), sealed.body)

    def send_head(self, chain: Sequence[Sealed], size: int | None = None) -> None:
        """Publish the signed head over the first `size` entries, all of them when None."""
        self.say(topics.checkpoint(NODE), a_head(chain, size)[1].note)

    def acknowledged(self, size: int) -> None:
        """Wait for an acknowledgement of so many entries."""
        self.until(lambda topic, payload: topic == topics.ack(NODE) and signed_for(payload) == size)

    def asks(self) -> None:
        """Be there, which asks for an acknowledgement."""
        self.say(topics.status(NODE), encode(CabinetStatus(online=True, version="1", stream=STREAM)))

    def is_heard(self) -> None:
        """Wait until headquarters has dealt with everything that was said: to this question it has one answer."""
        self.say(topics.recall(NODE), encode(Recall()))
        self.until(lambda topic, _: topic == topics.recalled(NODE))


def instance(broker: BrokerAddress) -> str:
    """Which session of headquarters is there."""
    asking = Ear(broker, topics.HEADQUARTERS_STATUS)
    said = decode(asking.next()[1], HeadquartersStatus)
    asking.close()
    assert said is not None
    return said.instance


@contextmanager
def listening(url: str, broker: BrokerAddress) -> Iterator[tuple[Database, Subscriber, Voice]]:
    """Headquarters, which has let the cabinet in, and somebody to talk to it."""
    log_key()
    with headquarters(url, broker) as (central, subscriber):
        wait_until(lambda: subscriber.online, "headquarters is there")
        someone = Voice(broker, *(of(NODE) for of in (topics.ack, topics.wanted, topics.recalled)))
        serving = instance(broker)
        try:
            yield central, subscriber, someone
            assert instance(broker) == serving, "something ended the session"
        finally:
            someone.close()


def signed(central: Database) -> int:
    """How many entries headquarters has signed for."""
    [line] = Supervision(central).cabinets()
    return line.cosigned


def quarantined(central: Database) -> list[tuple[str, str, str, int]]:
    """What is in quarantine: whose, its digest, why, and how often it came."""
    return [(one.node, one.digest, one.reason, one.times) for one in Supervision(central).quarantined()]


def test_good_entries_pass_between_rubbish_of_every_kind(database_url: str, broker: BrokerAddress) -> None:
    chain = a_chain(3)
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send(chain[0])
        for payload in RUBBISH.values():
            someone.say(TOPIC, payload)
        someone.say(topics.event("another-cabinet", "cabinet.door_left_open"), chain[1].body)
        someone.say(topics.status(NODE), b"rubbish")
        someone.say(topics.status(NODE), b"\xff")
        someone.say(topics.recall(NODE), b"rubbish")
        someone.say(topics.document(NODE, Digest("a" * 64)), b"rubbish")
        someone.say(f"{topics.ROOT}/from/{NODE}/documents/not-a-digest", b"rubbish")
        someone.say(topics.HEADQUARTERS_STATUS, b"rubbish")
        someone.send(*chain[1:])
        someone.send_head(chain)
        someone.acknowledged(3)
        assert stored(central) == bodies(chain)
        # On its own topic each piece of rubbish is counted; what is on no topic of ours is not even looked at.
        assert subscriber.counts["rejected"] == len(RUBBISH) + 1 + 2 + 1 + 1
        assert len(quarantined(central)) == subscriber.counts["rejected"]


def test_what_was_rejected_is_kept_as_it_came_and_counted_when_it_comes_again(
    database_url: str, broker: BrokerAddress, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(database_url, broker) as (central, subscriber, someone):
        for _ in range(3):
            someone.say(TOPIC, b"{")
            someone.is_heard()
            assert signed(central) == 0
        assert quarantined(central) == [(NODE, digest(b"{"), "JSONDecodeError", 3)]
        [kept] = Supervision(central).quarantined()
        assert (kept.topic, Supervision(central).find(kept.id).payload) == (TOPIC, b"{")
        [alarm] = Supervision(central).alarms()
        assert (alarm.node, alarm.kind, alarm.detail) == (NODE, "rejected", "JSONDecodeError")
        assert subscriber.counts["rejected"] == 3
    assert caplog.text.count("ALARM: rejected of armoire-7: JSONDecodeError") == 1


#: Heads that are none, or none of this cabinet's, and what is said of them.
FALSE_HEADS: dict[str, tuple[bytes, Fault]] = {
    "nothing": (b"", Fault.MALFORMED),
    "not text": (b"\xff\xfe", Fault.MALFORMED),
    "unsigned": (b"trousseau/armoire-7/s\n3\n" + b"A" * 43 + b"=\n", Fault.MALFORMED),
    "cut off": (a_head(a_chain(3))[1].note[:-10], Fault.MALFORMED),
    "larger than any note": (a_head(a_chain(3))[1].note + b"\n" * 200_000, Fault.MALFORMED),
    "a name of no journal": (b"x" * 60_000 + b"\n3\nAAAA\n\n\xe2\x80\x94 x AAAAAAAA\n", Fault.WRONG_ORIGIN),
    "another cabinet's": (a_head(a_chain(3, node="another-cabinet"))[1].note, Fault.WRONG_ORIGIN),
    "another text under the signature": (
        a_head(a_chain(3))[1].note.replace(b"\n3\n", b"\n4\n"),
        Fault.BAD_SIGNATURE,
    ),
    "signed by a key that nobody knows": (
        sign(a_head(a_chain(3))[1].checkpoint, [a_key(log_key().verifier.name, Kind.ED25519, "stolen")]),
        Fault.UNKNOWN_KEY,
    ),
    "signed by headquarters alone": (
        sign(a_head(a_chain(3))[1].checkpoint, [HQ_KEY]),
        Fault.UNKNOWN_KEY,
    ),
}


def test_a_head_is_believed_by_its_signature_alone(database_url: str, broker: BrokerAddress) -> None:
    chain = a_chain(3)
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send(*chain)
        for note, _ in FALSE_HEADS.values():
            someone.say(topics.checkpoint(NODE), note)
        someone.is_heard()
        assert (signed(central), stored(central)) == (0, [])
        assert quarantined(central) == [
            (NODE, digest(note), f"no head of this cabinet's: {fault}", 1) for note, fault in FALSE_HEADS.values()
        ]
        assert subscriber.counts["refused"] == 0
        someone.send_head(chain)
        someone.acknowledged(3)


#: What comes with an entry that the cabinet has not made, from somebody who has its certificate and not its key.
STOLEN: dict[str, Callable[[Sequence[Sealed], Sequence[Sealed]], list[bytes]]] = {
    "no head": lambda true, false: [],
    "a head by another key": lambda true, false: [
        sign(a_head(false)[1].checkpoint, [a_key(log_key().verifier.name, Kind.ED25519, "stolen")])
    ],
    "a head of the cabinet's that does not reach it": lambda true, false: [a_head(true, 1)[1].note],
    "a head of the cabinet's that leads elsewhere": lambda true, false: [a_head(true)[1].note],
}


@pytest.mark.parametrize("heads", STOLEN.values(), ids=STOLEN)
def test_what_a_cabinet_has_not_signed_changes_nothing_and_keeps_nothing_of_its_own_out(
    database_url: str, broker: BrokerAddress, heads: Callable[[Sequence[Sealed], Sequence[Sealed]], list[bytes]]
) -> None:
    chain = a_chain(2, a_door("v-1"), ClientRegistered(client=ClientId("c-1"), profile=Digest("a" * 64)))
    forged = a_chain(2, a_door("v-1"), ClientRegistered(client=ClientId("c-2"), profile=Digest("b" * 64)))
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send_head(chain, 1)
        someone.send(chain[0])
        someone.acknowledged(1)
        for note in heads(chain, forged):
            someone.say(topics.checkpoint(NODE), note)
        someone.send(forged[1])
        someone.asks()
        someone.acknowledged(1)
        someone.is_heard()
        assert (signed(central), stored(central)) == (1, bodies(chain[:1]))
        assert register_of(central)["clients"] == []
        someone.send_head(chain)
        someone.send(chain[1])
        someone.acknowledged(2)
        assert (signed(central), stored(central)) == (2, bodies(chain))
        assert [line["id"] for line in register_of(central)["clients"]] == ["c-1"]
        assert subscriber.counts["refused"] == 0
        assert (NODE, digest(forged[1].body), "altered", 1) in quarantined(central)
        assert not Supervision(central).cabinets()[0].refused


def test_of_a_head_only_the_cabinets_own_signature_is_signed_for_and_given_back(
    database_url: str, broker: BrokerAddress
) -> None:
    chain = a_chain(3)
    head = a_head(chain)[1].note
    noise = random.Random(7)
    bogus = [Signature(log_key().verifier.name, noise.randbytes(4), noise.randbytes(64)) for _ in range(600)]
    padded = head + "".join(map(str, bogus)).encode()
    assert 90_000 < len(padded) < LARGEST_NOTE
    with listening(database_url, broker) as (central, _, someone):
        someone.say(topics.checkpoint(NODE), padded)
        someone.send(*chain)
        someone.acknowledged(3)
        answer = CentralStore(central, SigningWitness([HQ_KEY])).answers()[NODE, STREAM]
        assert answer.cosigned is not None
        assert [one.name for one in Note.parse(answer.cosigned).signatures] == [log_key().verifier.name, WITNESS]
        assert answer.cosigned.startswith(head)


def test_only_so_much_of_one_cabinets_rubbish_is_kept(
    database_url: str, broker: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "MOST_QUARANTINED", 3)
    with listening(database_url, broker) as (central, subscriber, someone):
        for number in range(5):
            someone.say(TOPIC, b"%d" % number)
        someone.say(topics.status("another-cabinet"), b"rubbish")
        someone.is_heard()
        assert signed(central) == 0
        assert sorted(node for node, *_ in quarantined(central)) == ["another-cabinet", *[NODE] * 3]
        assert subscriber.counts["rejected"] == 6


def test_alarms_about_ever_new_things_are_bounded_for_each_kind(
    database_url: str, broker: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "MOST_ALARMS", 3)
    monkeypatch.setattr(witness, "MOST_KNOWN", 3)
    with listening(database_url, broker) as (central, subscriber, someone):
        for number in range(10):
            someone.say(topics.checkpoint(NODE), a_head(a_chain(1, stream=f"stream-{number}"))[1].note)
        someone.say(TOPIC, b"{")
        someone.is_heard()
        assert subscriber.counts["not_enrolled"] == 10
        kinds = [alarm.kind for alarm in Supervision(central).alarms()]
        assert sorted(kinds) == [*["not_enrolled"] * 3, "rejected"]
        assert signed(central) == 0


#: What no database holds, and a retained message would bring again at every connection.
STATUSES: dict[str, dict[str, object]] = {
    "a size beyond 32 bits": {"size": 2**31},
    "a size beyond 64 bits": {"size": 2**70},
    "a null character": {"version": "1\x00"},
    "a null character in the stream": {"stream": "\x00"},
    "a name that is too long": {"version": "9" * 3_000},
    "a stream that is too long": {"stream": "s" * 3_000},
}


@pytest.mark.parametrize("wrong", STATUSES.values(), ids=STATUSES)
def test_a_presence_that_no_database_holds_does_not_end_the_session(
    database_url: str, broker: BrokerAddress, wrong: dict[str, object]
) -> None:
    said = json.dumps({"online": True, "version": "1", "stream": STREAM, "size": 3} | wrong).encode()
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.say(topics.status(NODE), said, retain=True)
        someone.say(topics.recall(NODE), json.dumps({"stream": "\x00"}).encode())
        someone.say(topics.recall(NODE), json.dumps({"stream": STREAM, "after": 2**70}).encode())
        someone.is_heard()
        assert signed(central) == 0
        assert subscriber.counts["rejected"] == 3
        assert [reason for _, __, reason, ___ in quarantined(central)] == ["not a status", *["not a recall"] * 2]


DEEP = b"[" * 60_000 + b"]" * 60_000

#: Each once ended the session, and would again at every connection, being retained.
POISON: dict[str, tuple[str, bytes]] = {
    "a recall of every topic": (topics.recall(NODE), b'{"stream":"#"}'),
    "a recall of two topics": (topics.recall(NODE), b'{"stream":"a/b"}'),
    "a journal with a new line": (topics.recall(NODE), rb'{"stream":"a\n"}'),
    "a digest with a new line": (topics.recall(NODE), b'{"documents":["%s\\n"]}' % (b"0" * 64)),
    "a deep recall": (topics.recall(NODE), b'{"more":' + DEEP + b"}"),
    "a deep presence": (topics.status(NODE), b'{"online":true,"version":"1","stream":"s","more":' + DEEP + b"}"),
}


@pytest.mark.parametrize(("topic", "payload"), POISON.values(), ids=POISON)
def test_no_single_message_ends_the_session(
    database_url: str, broker: BrokerAddress, topic: str, payload: bytes
) -> None:
    with listening(database_url, broker) as (central, _, someone):
        someone.say(topic, payload, retain=True)
        someone.is_heard()
        assert [(node, kept) for node, kept, *_ in quarantined(central)] == [(NODE, digest(payload))]


def test_a_message_that_nobody_thought_of_is_kept_and_ends_nothing(
    database_url: str, broker: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(database_url, broker) as (central, _, someone):
        with monkeypatch.context() as patch:
            patch.setattr(session, "answers", unthought_of)
            patch.setattr(Supervision, "heard", unthought_of)
            someone.say(topics.recall(NODE), encode(Recall()))
            someone.asks()
            wait_until(lambda: len(quarantined(central)) == 2, "both in quarantine")
        assert {reason for _, __, reason, ___ in quarantined(central)} == {"it cannot be dealt with"}
        someone.is_heard()


def test_a_topic_longer_than_any_index_takes_is_none_of_ours(database_url: str, broker: BrokerAddress) -> None:
    noise = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=60_000))
    with listening(database_url, broker) as (_, subscriber, someone):
        someone.say(f"{topics.ROOT}/from/{NODE}/events/{noise}", b"rubbish")
        someone.is_heard()
        assert subscriber.counts["rejected"] == 0


def test_an_entry_that_the_database_does_not_take_stops_no_other(
    database_url: str, broker: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, store = a_chain(4), CentralStore.store

    def choking(self: CentralStore, batch: Sequence[Sealed], heads: Sequence[tuple[Key, SignedHead]] = ()) -> Stored:
        if any(sealed.entry.sequence == 4 for sealed in batch):
            raise OverflowError("nobody thought of this")
        return store(self, batch, heads)

    monkeypatch.setattr(CentralStore, "store", choking)
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send_head(chain, 3)
        someone.send(*reversed(chain))
        someone.acknowledged(3)
        assert stored(central) == bodies(chain[:3])
        assert subscriber.counts["rejected"] == 1
        assert quarantined(central) == [(NODE, digest(chain[3].body), "the database does not take it", 1)]


def unthought_of(*_: object) -> bytes:
    raise OverflowError("nobody thought of this")


def test_a_head_that_cannot_be_signed_for_ends_nothing_and_is_signed_for_when_it_comes_again(
    database_url: str, broker: BrokerAddress, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    chain = a_chain(3)
    with listening(database_url, broker) as (central, _, someone):
        with monkeypatch.context() as patch:
            patch.setattr(SigningWitness, "cosign", unthought_of)
            someone.send_head(chain, 0)
            someone.is_heard()
            assert "heads that cannot be judged" in caplog.text
            someone.send(*chain)
            someone.is_heard()
            someone.send_head(chain)
            someone.is_heard()
            assert (signed(central), stored(central), quarantined(central)) == (0, [], [])
        # What was in memory went with it, and comes again too.
        someone.send_head(chain)
        someone.send(*chain)
        someone.acknowledged(3)


def test_a_second_entry_of_one_command_about_one_thing_stops_no_other_and_is_rejected_even_when_signed(
    database_url: str, broker: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LINGER", 0.5)  # the head and its entry are dealt with together
    chain = a_chain(2)
    twice = replace(an_entry(3, digest(chain[1].body), "cabinet.door_left_open", {}).entry, command="command-2")
    doubled = Sealed(replace(twice, subject=chain[1].entry.subject), b"")
    doubled = Sealed(doubled.entry, seal(doubled.entry))
    with listening(database_url, broker) as (central, subscriber, someone):
        for sealed in (doubled, *chain, doubled):
            someone.client.publish(TOPIC, sealed.body, 1)
        someone.send_head(chain)
        someone.acknowledged(2)
        assert quarantined(central) == [], "nobody has signed it"
        someone.send_head([*chain, doubled])
        someone.send(doubled)
        wait_until(lambda: subscriber.counts["rejected"] == 1, "the rejection")
        someone.is_heard()
        assert (signed(central), stored(central)) == (2, bodies(chain))
        assert quarantined(central) == [(NODE, digest(doubled.body), "the database does not take it", 1)]


def test_entries_out_of_order_and_twice_are_acknowledged_as_the_prefix_grows(
    database_url: str, broker: BrokerAddress
) -> None:
    chain = a_chain(3)
    with listening(database_url, broker) as (central, _, someone):
        for size in (1, 2, 3):
            someone.send_head(chain, size)
        for number, size in ((2, 0), (1, 0), (1, 0), (0, 3), (0, 3), (2, 3)):
            someone.send(chain[number])
            someone.acknowledged(size)
        assert stored(central) == bodies(chain)


def test_after_a_gap_nothing_is_acknowledged_until_it_is_filled(database_url: str, broker: BrokerAddress) -> None:
    chain = a_chain(9)
    with listening(database_url, broker) as (central, _, someone):
        someone.send_head(chain, 4)
        someone.send_head(chain)
        someone.send(*chain[:4], *chain[5:])
        someone.is_heard()
        assert signed(central) == 4
        assert stored(central) == bodies(chain[:4])
        someone.send(chain[4])
        someone.acknowledged(9)
        assert stored(central) == bodies(chain)


def test_other_bytes_under_the_same_key_raise_an_alarm_and_change_nothing(
    database_url: str, broker: BrokerAddress, caplog: pytest.LogCaptureFixture
) -> None:
    chain, fork = a_chain(2), a_chain(2, fork="other-")
    with listening(database_url, broker) as (central, _, someone):
        someone.send_head(chain, 1)
        someone.send(chain[0])
        someone.acknowledged(1)
        someone.send(fork[0])
        someone.is_heard()
        assert signed(central) == 1
        someone.send_head(chain)
        someone.send(chain[1])
        someone.acknowledged(2)
        assert stored(central) == bodies(chain)
        assert quarantined(central) == [(NODE, digest(fork[0].body), "altered", 1)]
    assert "ALARM: rejected of armoire-7: altered" in caplog.text


def test_an_entry_that_waited_for_another_history_is_rejected_when_its_turn_comes(
    database_url: str, broker: BrokerAddress
) -> None:
    chain, fork = a_chain(3), a_chain(3, fork="other-")
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send(fork[2])
        someone.is_heard()
        assert signed(central) == 0
        someone.send_head(chain, 2)
        someone.send(*chain[:2])
        someone.acknowledged(2)
        someone.is_heard()
        assert quarantined(central) == [(NODE, digest(fork[2].body), "broken", 1)]
        assert subscriber.online, "the session went on"
        someone.send_head(chain)
        someone.send(chain[2])
        someone.acknowledged(3)


def test_an_entry_that_does_not_follow_one_that_nobody_has_signed_is_not_the_one_to_blame(
    database_url: str, broker: BrokerAddress
) -> None:
    chain, fork = a_chain(3), a_chain(1, fork="other-")
    with listening(database_url, broker) as (central, _, someone):
        someone.send(fork[0])
        someone.send_head(chain)
        someone.send(*chain[1:])
        someone.is_heard()
        assert (signed(central), stored(central), quarantined(central)) == (0, [], [])
        someone.send(*chain)
        someone.acknowledged(3)
        assert stored(central) == bodies(chain)
        assert quarantined(central) == [(NODE, digest(fork[0].body), "altered", 1)]


def test_a_journal_that_the_database_cannot_store_holds_no_other_up(database_url: str, broker: BrokerAddress) -> None:
    """Its cabinet has signed two entries with one command and subject, and says so between any two words of another's."""
    other = "armoire-8"
    log_key(other)
    first = an_entry(1, NO_ENTRY, "cabinet.unheard_of", {}, node=other)
    second = an_entry(2, digest(first.body), "cabinet.unheard_of", {}, node=other)
    poison = [first, Sealed(second.entry, seal(replace(second.entry, command=first.entry.command)))]
    chain = a_chain(6)
    with listening(database_url, broker) as (central, subscriber, someone):

        def speak() -> None:
            someone.say(topics.checkpoint(other), a_head(poison)[1].note)
            someone.send(*poison)

        someone.send_head(chain)
        for sealed in chain:
            speak()
            someone.send(sealed)
        speak()
        someone.acknowledged(6)
        wait_until(lambda: subscriber.counts["stuck"] > 0, "somebody is told")
        assert stored(central) == bodies(chain)
        assert stored(central, other) == []
        assert (other, "stuck") in [(alarm.node, alarm.kind) for alarm in Supervision(central).alarms()]


def test_a_type_from_the_future_is_acknowledged_and_its_documents_are_asked_for(
    database_url: str, broker: BrokerAddress
) -> None:
    future = an_entry(1, NO_ENTRY, "custody.beamed_up", {"item": "i-1", "statement": "a" * 64, "profile": ["x"]})
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send_head([future])
        someone.send(future)
        someone.acknowledged(1)
        assert someone.until(lambda topic, _: topic == topics.wanted(NODE)) == encode(["a" * 64])
        assert unseal(stored(central)[0]).type == "custody.beamed_up"
        assert subscriber.counts["rejected"] == subscriber.counts["unfolded"] == 0


def test_an_entry_that_cannot_be_understood_is_acknowledged_and_raises_an_alarm(
    database_url: str, broker: BrokerAddress
) -> None:
    ill = an_entry(1, NO_ENTRY, "custody.taken_unsigned", {"item": "nobody-knows-it"})
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send_head([ill])
        someone.send(ill)
        someone.acknowledged(1)
        wait_until(lambda: subscriber.counts["unfolded"] == 1, "the alarm")
        [alarm] = Supervision(central).alarms()
        assert (alarm.kind, alarm.detail) == ("unfolded", "custody.taken_unsigned")


def test_documents_are_asked_for_in_messages_of_a_bearable_size_and_again_while_they_are_missing(
    database_url: str, broker: BrokerAddress
) -> None:
    chain, prev, total = list[Sealed](), NO_ENTRY, 2 * MOST_WANTED + 5
    for number in range(total):
        chain.append(an_entry(number + 1, prev, "custody.beamed_up", {"statement": f"{number:064x}"}, f"s-{number}"))
        prev = digest(chain[-1].body)
    with listening(database_url, broker) as (_, __, someone):
        someone.send_head(chain)
        for sealed in chain:
            someone.client.publish(topics.event(NODE, "custody.beamed_up"), sealed.body, 1)
        asked: list[str] = []
        someone.asks()
        while len(asked) < 2 * total:
            topic, payload, _ = someone.next()
            if topic == topics.wanted(NODE):
                asked += (digests := json.loads(payload))
                assert len(digests) <= MOST_WANTED
        assert {asked.count(f"{number:064x}") for number in range(total)} <= {1, 2, 3}


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
def test_a_frame_that_is_none_is_passed_over(database_url: str, broker: BrokerAddress, frame: bytes) -> None:
    entry = an_entry(1, NO_ENTRY, "custody.beamed_up", {"statement": "a" * 64})
    with listening(database_url, broker) as (central, subscriber, someone):
        someone.send_head([entry])
        someone.send(entry)
        someone.until(lambda topic, _: topic == topics.wanted(NODE))
        someone.say(topics.document(NODE, Digest("a" * 64)), frame)
        someone.is_heard()
        assert subscriber.counts["documents"] == 0
        assert documents_of(central) == set()


def test_a_document_with_the_wrong_digest_is_rejected_and_the_right_one_is_still_wanted(
    database_url: str, broker: BrokerAddress
) -> None:
    content = bytes(32) + b"a name"
    entry = an_entry(1, NO_ENTRY, "custody.beamed_up", {"statement": digest_of(content)})
    with listening(database_url, broker) as (central, _, someone):
        someone.send_head([entry])
        someone.send(entry)
        someone.until(lambda topic, _: topic == topics.wanted(NODE))
        for wrong in (bytes(32) + b"another name", content[:20]):
            someone.say(topics.document(NODE, digest_of(content)), HEAD.pack(0, 1) + wrong)
        someone.is_heard()
        assert [reason for _, __, reason, ___ in quarantined(central)] == ["not the document that was asked for"] * 2
        assert documents_of(central) == set()
        assert [line.missing for line in Supervision(central).cabinets()] == [1]
        someone.say(topics.document(NODE, digest_of(content)), HEAD.pack(0, 1) + content)
        someone.is_heard()
        assert documents_of(central) == {(digest_of(content), content[:32], content[32:])}


def test_a_document_is_taken_from_nobody_but_the_cabinet_that_was_asked(
    database_url: str, broker: BrokerAddress
) -> None:
    content = bytes(32) + b"a name"
    entry = an_entry(1, NO_ENTRY, "custody.beamed_up", {"statement": digest_of(content)})
    with listening(database_url, broker) as (central, _, someone):
        someone.send_head([entry])
        someone.send(entry)
        someone.until(lambda topic, _: topic == topics.wanted(NODE))
        someone.say(topics.document("another-cabinet", digest_of(content)), HEAD.pack(0, 1) + content)
        someone.is_heard()
        assert documents_of(central) == set()


def test_a_cabinets_presence_asks_how_far_headquarters_has_got(database_url: str, broker: BrokerAddress) -> None:
    with listening(database_url, broker) as (central, _, someone):
        someone.is_heard()
        someone.asks()
        someone.acknowledged(0)
        [line] = Supervision(central).cabinets()
        assert line.presence is not None
        assert (line.presence.online, line.presence.version, line.presence.stream) == (True, "1", STREAM)


def test_who_was_not_let_in_is_not_answered(database_url: str, broker: BrokerAddress, ear: MakeEar) -> None:
    with listening(database_url, broker) as (central, _, someone):
        listener = ear(broker, topics.ack("a-stranger"))
        here = encode(CabinetStatus(online=True, version="1", stream=STREAM))
        someone.say(topics.status("a-stranger"), here)
        someone.is_heard()
        assert listener.all() == []
        assert [(alarm.node, alarm.kind) for alarm in Supervision(central).alarms()] == [("a-stranger", "not_enrolled")]
