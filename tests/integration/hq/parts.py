"""A cabinet with a real journal, a headquarters with a real database, and entries made by hand."""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

import paho.mqtt.client as paho
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from sqlalchemy import select

from kiosk.domain import events
from kiosk.domain.access_means import Kind, State
from kiosk.domain.events import Event
from kiosk.domain.identifiers import (
    ClientId,
    CommandId,
    Digest,
    HookId,
    ItemId,
    PersonId,
    Root,
    SiteId,
    Size,
    StreamId,
    TagId,
    Timestamp,
    VisitId,
)
from kiosk.domain.people import Role, Tier
from kiosk.hq.subscriber import Subscriber
from kiosk.hq.witness import SigningWitness
from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import WITNESS, Checkpoint, origin
from kiosk.ledger.entry import NO_ENTRY, Entry, digest, seal, unseal
from kiosk.ledger.merkle import Frontier, leaf_hash
from kiosk.ledger.note import Kind as KeyKind
from kiosk.ledger.note import Note, SigningKey
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import Ack, decode
from kiosk.mqtt.relay import Relay
from kiosk.services.codec import event_data, profile
from kiosk.services.heads import Heads
from kiosk.services.ports import Reading
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.enrolment import enrol
from kiosk.store.journal import StoredJournal, found_journal
from kiosk.store.local import LocalStore
from kiosk.store.stream import WAITING, Key, Sealed, SignedHead, Stored
from kiosk.store.tables import CABINET, HEADQUARTERS, LINES, documents, entries
from tests.services import LOOPBACK, wait_until

NODE: Final = "armoire-7"
STREAM: Final = "0b7e9f5e-7a53-4d4e-9d6b-2f8c1f3c6a10"
NADIA: Final = PersonId("p-nadia")


def a_key(name: str, kind: KeyKind, which: str = "") -> SigningKey:
    """The same key in every process; `which` tells several of one name apart."""
    seed = hashlib.sha256(f"{which}{name}".encode()).digest()
    return SigningKey(name, kind, Ed25519PrivateKey.from_private_bytes(seed))


HQ_KEY: Final = a_key(WITNESS, KeyKind.COSIGNATURE)
#: When journals were let in.
LET_IN: Final = Timestamp("2026-11-24T06:00:00.000Z")
#: The keys of the journals that a headquarters lets in when it starts, by origin.
LOG_KEYS: Final[dict[str, SigningKey]] = {}


def log_key(node: str = NODE, stream: str = STREAM) -> SigningKey:
    """The key that this journal's heads are signed with; a headquarters that starts later lets it in."""
    name = origin(node, stream)
    return LOG_KEYS.setdefault(name, a_key(name, KeyKind.ED25519))


def let_in(database: Database) -> None:
    """Enrol every journal that there is."""
    enrol(database, [key.verifier for key in LOG_KEYS.values()], LET_IN)


class SteadyClock:
    """Real time."""

    def now(self) -> Reading:
        return Reading(datetime.now(UTC), time.monotonic_ns(), "a-boot")


class Cabinet:
    """A journal in a file, and the relay that sends it."""

    def __init__(self, folder: Path, node: str = NODE, stream: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        is_new = not (folder / "cabinet.db").exists()
        self.database = Database(f"sqlite:///{folder}/cabinet.db", CABINET, gapless=True)
        if is_new:
            found_journal(self.database, node, stream or str(uuid.uuid4()))
        self.journal = StoredJournal(self.database, SteadyClock())
        self.local = LocalStore(self.database)
        self.keys = [log_key(node, self.journal.stream)]
        self.trusted = [HQ_KEY.verifier]
        self.heads = Heads(origin(node, self.journal.stream), self.keys, lambda: self.trusted)
        self._relay: Relay | None = None

    @property
    def relay(self) -> Relay:
        assert self._relay is not None, "connect() first"
        return self._relay

    def connect(self, broker: BrokerAddress) -> Relay:
        self._relay = Relay(self.journal, self.local, broker, "1.2.3", self.heads)
        self.journal.committed = self._relay.wake
        self._relay.start()
        return self._relay

    def disconnect(self) -> None:
        if self._relay is not None:
            self._relay.stop()
            self._relay = None

    def record(self, *recorded: Event) -> None:
        with self.journal.act(CommandId(str(uuid.uuid4())), NADIA) as act:
            for event in recorded:
                act.record(event)

    def record_many(self, count: int) -> None:
        """Entries that change no line of the register, one command each ten."""
        for start in range(0, count, 10):
            self.record(*(a_door(f"{start}-{n}-{uuid.uuid4()}") for n in range(min(10, count - start))))

    def keep(self, content: bytes) -> Digest:
        """Keep a document that an entry names."""
        with self.journal.act(CommandId(str(uuid.uuid4())), NADIA) as act:
            name = act.keep(content)
            act.record(events.ClientRegistered(client=ClientId(str(uuid.uuid4())), profile=name))
        return name

    def bodies(self) -> list[bytes]:
        return self.journal.read(0, 1_000_000)

    @property
    def caught_up(self) -> bool:
        return self.relay.status.acked == self.journal.size()

    def wait(self, patience: float = 30) -> None:
        wait_until(lambda: self.caught_up, "the acknowledgement of everything", patience)

    def close(self) -> None:
        self.disconnect()
        self.database.close()


def a_door(visit: str) -> Event:
    return events.DoorLeftOpen(visit=VisitId(visit), person=NADIA)


def a_life(cabinet: Cabinet) -> None:
    """Every kind of event there is, as a cabinet would record them."""
    with cabinet.journal.act(CommandId(str(uuid.uuid4())), "import") as act:
        evidence = act.keep(b"what was recorded on an old card")
        act.record(
            events.StreamOpened(
                previous=StreamId("an-earlier-journal"), size=Size("3"), root=Root("0" * 64), evidence=evidence
            )
        )
        act.record(events.ClientRegistered(client=ClientId("c-1"), profile=act.keep(profile(name="Musée d’Orsay"))))
        act.record(
            events.SiteRegistered(site=SiteId("s-1"), client=ClientId("c-1"), profile=act.keep(profile(name="🏛")))
        )
        for number in range(3):
            act.record(_item(number, act.keep(profile(designation=f"Passe {number}"))))
        act.record(
            events.PersonEnrolled(person=NADIA, roles=(Role.TECHNICIAN,), profile=act.keep(profile(name="Nadia <b>")))
        )
        act.record(events.BadgeAssigned(badge=TagId("b" * 64), person=NADIA, tier=Tier.AUTHENTICATED))
    signed = {"statement": cabinet.keep(b"I take it."), "signature": cabinet.keep(b"PNG")}
    moved = {"person": NADIA, "visit": VisitId("v-1"), "tier": Tier.AUTHENTICATED}
    cabinet.record(
        events.Taken(item=ItemId("i-0"), sensed=True, **moved, **signed),  # type: ignore[arg-type]
        events.TakenUnsigned(item=ItemId("i-1"), tapped=True, sensed=False, **moved),  # type: ignore[arg-type]
    )
    cabinet.record(events.TakeSigned(item=ItemId("i-1"), **moved, **signed))  # type: ignore[arg-type]
    cabinet.record(events.Returned(item=ItemId("i-0"), sensed=True, **moved, **signed))  # type: ignore[arg-type]
    cabinet.record(
        events.VisitUnresolved(visit=VisitId("v-2"), person=NADIA, cause="restart", items=(ItemId("i-2"),)),
        a_door("v-3"),
    )
    cabinet.record(events.BadgeRevoked(badge=TagId("b" * 64)), events.PersonLeft(person=NADIA))


def _item(number: int, described: Digest) -> Event:
    return events.ItemReceived(
        item=ItemId(f"i-{number}"),
        client=ClientId("c-1"),
        site=SiteId("s-1"),
        kind=Kind.MASTER_KEY,
        received="2026-01-05",
        in_charge=NADIA,
        state=State.IN_SERVICE,
        profile=described,
        tag=TagId(f"{number}" * 64),
        hook=HookId(f"h-{number}") if number else None,
    )


def register_of(database: Database, node: str = NODE) -> Mapping[str, list[dict[str, Any]]]:
    """Every line of the register, by table."""
    with database.read() as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(
                    select(table).where(table.c.node == node).order_by(*table.primary_key.columns)
                ).mappings()
            ]
            for table in LINES.values()
        }


def documents_of(database: Database) -> set[tuple[str, bytes, bytes]]:
    with database.read() as connection:
        return {(row.digest, row.salt, row.content) for row in connection.execute(select(documents))}


def stored(database: Database, node: str = NODE) -> list[bytes]:
    """The entries that headquarters holds of a node, in order."""
    query = select(entries.c.body).where(entries.c.node == node).order_by(entries.c.stream, entries.c.sequence)
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def a_chain(count: int, *made: Event, node: str = NODE, stream: str = STREAM, fork: str = "") -> list[Sealed]:
    """Entries made by hand, chained; `fork` makes another history of the same length."""
    chain: list[Sealed] = []
    prev = NO_ENTRY
    for number in range(count):
        event = made[number] if number < len(made) else a_door(f"v-{fork}{number}")
        chain.append(an_entry(number + 1, prev, event.type, event_data(event), event.subject, node, stream))
        prev = digest(chain[-1].body)
    return chain


def an_entry(
    sequence: int,
    prev: str,
    type_: str,
    data: Any,  # noqa: ANN401 - also what no entry should hold
    subject: str = "s",
    node: str = NODE,
    stream: str = STREAM,
) -> Sealed:
    entry = Entry(
        node=node,
        stream=stream,
        sequence=sequence,
        type=type_,
        subject=subject,
        time="2026-11-23T06:00:00.000Z",
        prev=prev,
        monotonic=1,
        boot="a-boot",
        clock_set=True,
        actor=NADIA,
        command=f"command-{sequence}",
        data=data,
    )
    return Sealed(entry, seal(entry))


def a_head(chain: Sequence[Sealed], size: int | None = None) -> tuple[Key, SignedHead]:
    """The head that the journal of this chain signs over the first `size` entries, all of them when None."""
    node, stream = chain[0].key
    tree = Frontier()
    for sealed in chain[:size]:
        tree.append(leaf_hash(sealed.body))
    head = Checkpoint(origin(node, stream), tree.size, tree.root())
    return (node, stream), SignedHead(head, checkpoint.sign(head, [log_key(node, stream)]))


class SigningStore(CentralStore):
    """Headquarters' store, each batch under the heads that the cabinet signs over it: its journal is the first chain said."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, SigningWitness([HQ_KEY]))
        self._said: dict[Key, dict[int, list[Sealed]]] = {}

    def store(self, batch: Sequence[Sealed], heads: Iterable[tuple[Key, SignedHead]] = ()) -> Stored:
        for sealed in batch:
            self._said.setdefault(sealed.key, {}).setdefault(sealed.entry.sequence, []).append(sealed)
        keys = {sealed.key for sealed in batch}
        return super().store(batch, [*heads, *(head for key in sorted(keys) for head in self._heads(key, batch))])

    def _heads(self, key: Key, batch: Sequence[Sealed]) -> Iterator[tuple[Key, SignedHead]]:
        chain: list[Sealed] = []
        prev = NO_ENTRY
        while (fits := [one for one in self._said[key].get(len(chain) + 1, ()) if one.entry.prev == prev]) != []:
            chain.append(fits[0])
            prev = digest(fits[0].body)
        sizes = {sealed.entry.sequence for sealed in batch if sealed.key == key} & set(range(1, len(chain) + 1))
        # The last few: so many heads may wait.
        yield from (a_head(chain, size) for size in sorted(sizes | ({len(chain)} if chain else set()))[-WAITING:])


def signed_for(payload: bytes) -> int:
    """How many entries an acknowledgement covers, by headquarters' own signature."""
    ack = decode(payload, Ack)
    assert ack is not None
    if ack.checkpoint is None:
        return 0
    note = ack.checkpoint.encode()
    name = Checkpoint.parse(Note.parse(note).text).origin
    return checkpoint.open_cosigned(note, name, [HQ_KEY.verifier]).checkpoint.size


@contextmanager
def central_database(url: str) -> Iterator[Database]:
    """Headquarters' database, into which every journal that there is has been let in."""
    database = Database(url, HEADQUARTERS, gapless=False)
    let_in(database)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def headquarters(
    url: str, broker: BrokerAddress, instance: str | None = None, keys: Sequence[SigningKey] = (HQ_KEY,)
) -> Iterator[tuple[Database, Subscriber]]:
    """A subscriber on a database, stopped and closed."""
    with central_database(url) as database:
        subscriber = Subscriber(database, broker, SigningWitness(keys), instance)
        subscriber.start()
        try:
            yield database, subscriber
        finally:
            subscriber.stop()


class Ear:
    """A plain MQTT client: hears what it subscribes to, says what it is told."""

    def __init__(
        self, broker: BrokerAddress, *filters: str, client_id: str = "", will: tuple[str, bytes] | None = None
    ) -> None:
        version = MQTTProtocolVersion.MQTTv5 if broker.protocol == "5" else MQTTProtocolVersion.MQTTv311
        self._heard: SimpleQueue[tuple[str, bytes, bool]] = SimpleQueue()
        self._ready: SimpleQueue[bool] = SimpleQueue()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=version)
        self.client.on_message = lambda _, __, m: self._heard.put((m.topic, bytes(m.payload), bool(m.retain)))
        self.client.on_subscribe = lambda *_: self._ready.put(True)
        if will is not None:
            self.client.will_set(will[0], will[1], 1, True)
        self.client.connect(LOOPBACK, broker.port)
        self.client.loop_start()
        self.listen("nothing/at/all", *filters)

    def listen(self, *filters: str) -> None:
        self.client.subscribe([(one, 1) for one in filters])
        self._ready.get(timeout=10)

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, 1, retain).wait_for_publish(10)

    def next(self, patience: float = 10) -> tuple[str, bytes, bool]:
        """The next message: topic, payload, whether the broker had retained it."""
        return self._heard.get(timeout=patience)

    def all(self, quiet: float = 0.3) -> list[tuple[str, bytes, bool]]:
        """Everything until it has been quiet for so long."""
        heard = []
        try:
            while True:
                heard.append(self.next(quiet))
        except Empty:
            return heard

    def until(self, fits: Callable[[str, bytes], bool], patience: float = 10) -> bytes:
        """The payload of the first message that fits; the others are passed over."""
        deadline = time.monotonic() + patience
        while True:
            topic, payload, _ = self.next(max(0.01, deadline - time.monotonic()))
            if fits(topic, payload):
                return payload

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def numbers(bodies: Sequence[bytes]) -> list[int]:
    """The sequence numbers of entries."""
    return [unseal(body).sequence for body in bodies]
