"""One connection of headquarters: what comes in is stored and cosigned, then acknowledged.

Invariants:
    * Nothing is acknowledged before it is committed, to the cabinet or to the broker; the acknowledgement is a head that we have
      cosigned, and covers only what is committed.
    * Everything in memory may vanish at any moment: cabinets send again what is not acknowledged.
    * What cannot be placed is kept in quarantine and raises an alarm; it never holds up what can.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Final

from kiosk.domain.identifiers import Digest, Timestamp
from kiosk.hq.admission import admit
from kiosk.hq.documents import ASK_AGAIN, Requests, WrongDocument
from kiosk.hq.recall import answers
from kiosk.hq.witness import Enrolled, UnknownLog
from kiosk.ledger.checkpoint import node_and_stream
from kiosk.ledger.errors import BadEntry, LedgerError
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress, Connected, Delivered, Happening, Link, Lost, Message, Refused
from kiosk.mqtt.messages import Ack, CabinetStatus, HeadquartersStatus, Recall, decode, encode, read_frame
from kiosk.mqtt.topics import Kind, Origin
from kiosk.services.timestamps import timestamp
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.stream import Answer, Key, Sealed, SignedHead, StaleMemory, Stored
from kiosk.store.supervision import Presence, Supervision

log = logging.getLogger(__name__)

#: Two letters: no cabinet can be called so, and take over this session.
CLIENT_ID: Final = "hq"
LARGEST_BATCH: Final = 500
#: Bytes of a batch; read, they take 25 times as much.
LARGEST_BYTES: Final = 4 * 1024 * 1024
#: How long a head waits for the entries that follow it, seconds.
LINGER: Final = 0.005
_TICK: Final = 1.0
#: Of each cabinet; as many as it remembers to have been asked.
_MOST_MISSING: Final = 1_000
_MOST_RAISED: Final = 10_000


class Stop:
    """Put into the inbox, it ends the session."""


Inbox = SimpleQueue[Happening | Stop]
Entries = Sequence[tuple[Delivered, Sealed]]
Heads = Sequence[tuple[Key, SignedHead]]


@dataclass(slots=True)
class _Batch:
    """What is dealt with together. Entries and heads are opened as they come: a head while its entries are still on the way."""

    happenings: list[Happening] = field(default_factory=list)
    bytes: int = 0
    others: list[tuple[Delivered, Origin]] = field(default_factory=list)
    entries: list[tuple[Delivered, Sealed]] = field(default_factory=list)
    heads: list[tuple[Key, SignedHead]] = field(default_factory=list)
    #: Up to which entry each journal is to come, which has sent its head ahead.
    awaited: dict[Key, int] = field(default_factory=dict)

    def add_entry(self, one: Delivered, sealed: Sealed) -> None:
        """An entry that was let in."""
        self.entries.append((one, sealed))
        if sealed.entry.sequence >= self.awaited.get(sealed.key, 0):
            self.awaited.pop(sealed.key, None)

    def add_head(self, key: Key, head: SignedHead) -> None:
        """A head that was let in."""
        self.heads.append((key, head))
        self.awaited[key] = max(head.checkpoint.size, self.awaited.get(key, 0))

    def of(self, kind: Kind) -> Iterator[tuple[Delivered, Origin]]:
        """The other messages of this kind."""
        return (heard for heard in self.others if heard[1].kind is kind)


class Session:
    """From connecting to the broker until a stop, or until the database goes away.

    Args:
        database: headquarters'.
        store: writes entries, heads and documents there.
        supervision: keeps presence, alarms and quarantine there.
        broker: where cabinets publish.
        instance: which headquarters this is.
        inbox: where paho's thread puts what it hears; a `Stop` in it ends the session.
        counts: what has happened, by name; kept across sessions.
        changed: told whether headquarters is online.
        rightful: asked at every round, and whether it has to be known at once; raises when this headquarters is no longer the one
            that may serve.
    """

    def __init__(
        self,
        database: Database,
        store: CentralStore,
        supervision: Supervision,
        broker: BrokerAddress,
        instance: str,
        inbox: Inbox,
        counts: Counter[str],
        changed: Callable[[bool], None],
        rightful: Callable[[bool], None],
    ) -> None:
        self._database, self._store, self._supervision = database, store, supervision
        self._instance, self._inbox = instance, inbox
        self._counts, self._changed, self._rightful = counts, changed, rightful
        self._enrolled, self._requests = Enrolled(store), Requests()
        self._present: set[str] = set()
        self._raised: dict[tuple[str, str, str], float] = {}
        self._asked_at = 0.0
        self._link = Link(
            broker,
            CLIENT_ID,
            subscriptions=[
                topics.EVERY_EVENT,
                topics.EVERY_CHECKPOINT,
                topics.EVERY_DOCUMENT,
                topics.EVERY_STATUS,
                topics.EVERY_RECALL,
                topics.HEADQUARTERS_STATUS,
            ],
            will=self._status(online=False),
            heard=inbox.put,
            manual=2 * LARGEST_BATCH,
        )

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            StorageFailed: the database went away; whatever was not committed comes again.
            NotRightful: another headquarters serves now.
        """
        # Without its database headquarters is absent: it does not even connect.
        self._store.renew()
        self._link.open()
        try:
            while (batch := self._gather()) is not None:
                # Another one that serves by now takes our name at the broker, and would be thrown out by our coming back.
                self._rightful(any(isinstance(happening, Lost) for happening in batch.happenings))
                self._deal_with(batch)
                self._ask_again(time.monotonic())
        finally:
            self._changed(False)
            self._link.close(self._status(online=False))

    def _gather(self) -> _Batch | None:
        """What happened, up to a batch of it; None when it is time to stop."""
        batch, lingers = _Batch(), 0.0
        deadline = time.monotonic() + _TICK
        while len(batch.happenings) < LARGEST_BATCH and batch.bytes < LARGEST_BYTES:
            try:
                happening = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            if isinstance(happening, Stop):
                return None
            self._sort(happening, batch)
            # While a batch is stored the next one gathers by itself; only what a head announces is worth waiting for, once.
            lingers = lingers or (time.monotonic() + LINGER if batch.awaited else 0.0)
            deadline = lingers if batch.awaited else 0.0
        return batch

    def _sort(self, happening: Happening, batch: _Batch) -> None:
        batch.happenings.append(happening)
        if not (isinstance(happening, Delivered) and (origin := topics.origin(happening.topic))):
            return
        batch.bytes += len(happening.payload)
        if origin.kind is Kind.EVENT:
            if sealed := self._admit(happening):
                batch.add_entry(happening, sealed)
        elif origin.kind is Kind.CHECKPOINT:
            if head := self._head(happening, origin):
                batch.add_head(*head)
        else:
            batch.others.append((happening, origin))

    def _deal_with(self, batch: _Batch) -> None:
        asked = self._statuses(batch.of(Kind.STATUS))
        done = self._ledger(batch.entries, batch.heads)
        self._documents(batch.of(Kind.DOCUMENT))
        self._recalls(batch.of(Kind.RECALL))
        self._acknowledge(asked | done.answers)
        for happening in batch.happenings:
            if isinstance(happening, Delivered):
                self._link.take(happening)
        for happening in batch.happenings:
            self._notice(happening)
        if done.named:
            self._ask(self._store.lacking(done.named), time.monotonic())

    def _notice(self, happening: Happening) -> None:
        match happening:
            case Connected():
                self._acknowledge(self._store.answers())
                self._link.publish(self._status(online=True))
                self._changed(True)
            case Lost():
                self._present.clear()
                self._changed(False)
            case Refused(cause):
                self._alarm("", "broker", cause.value)
            case Delivered(topics.HEADQUARTERS_STATUS, payload):
                said = decode(payload, HeadquartersStatus)
                if said is not None and not said.online:
                    # The will of an earlier connection came late, and would be believed.
                    self._link.publish(self._status(online=True))

    # ---- presence

    def _statuses(self, heard: Iterable[tuple[Delivered, Origin]]) -> dict[Key, Answer]:
        """Note who is there; a cabinet's presence also asks how far we have got with its stream."""
        asked: dict[Key, Answer] = {}
        for one, origin in heard:
            status = decode(one.payload, CabinetStatus)
            if status is None:
                self._reject(one.topic, one.payload, "not a status")
                continue
            with self._blaming(one):
                self._supervision.heard(_presence(origin.node, status))
                if self._is_there(origin.node, online=status.online):
                    asked |= self._asked(origin.node, status.stream)
        return asked

    def _is_there(self, node: str, *, online: bool) -> bool:
        if online != (node in self._present):
            self._requests.begin_again(node)
        (self._present.add if online else self._present.discard)(node)
        return online

    def _asked(self, node: str, stream: str) -> dict[Key, Answer]:
        answer = self._store.answer(node, stream)
        if answer is None:
            # It sends nothing before it is answered: this is all that a person gets to see of it.
            self._unknown(node, stream)
            return {}
        return {(node, stream): answer}

    def _status(self, *, online: bool) -> Message:
        return Message(topics.HEADQUARTERS_STATUS, encode(HeadquartersStatus(online, self._instance)), retain=True)

    # ---- the ledger

    def _ledger(self, entries: Entries, heads: Heads) -> Stored:
        """Store entries and judge heads."""
        done = Stored()
        if entries or heads:
            self._settle(entries, heads, done)
        for key in done.closed:
            self._enrolled.forget(key)
        self._report(done)
        self._counts["received"] += len(entries)
        return done

    def _admit(self, one: Delivered) -> Sealed | None:
        try:
            sealed = admit(one.topic, one.payload)
        except BadEntry as e:
            self._reject(one.topic, one.payload, e.reason)
            return None
        if sealed.key in self._enrolled:
            return sealed
        # Not lost and not kept: the cabinet sends it again until it is acknowledged.
        self._unknown(*sealed.key)
        return None

    def _head(self, one: Delivered, origin: Origin) -> tuple[Key, SignedHead] | None:
        try:
            key, head = self._enrolled.open_head(origin.node, one.payload)
        except UnknownLog as e:
            self._unknown(origin.node, e.stream)
            return None
        except LedgerError as e:
            # By its kind, not in its words, which may be the sender's.
            self._reject(one.topic, one.payload, f"no head of this cabinet's: {e.fault}")
            return None
        return key, head

    def _settle(self, entries: Entries, heads: Heads, done: Stored, tries: int = 2) -> None:
        """Store, again from the database where memory was stale; then each journal by itself, so that one that cannot be stored
        holds no other up, and of that one each entry."""
        journals = {sealed.key for _, sealed in entries} | {key for key, _ in heads}
        try:
            done.add(self._store.store([sealed for _, sealed in entries], heads))
        except Exception as e:
            self._store.answers()  # raises when the database is away, and then nobody is to blame
            if tries > 1:
                if not isinstance(e, StaleMemory):
                    log.warning("a batch that could not be stored, once more", exc_info=True)
                self._settle(entries, heads, done, tries - 1)
            elif len(journals) > 1:
                for journal in sorted(journals):
                    its_own = [one for one in entries if one[1].key == journal]
                    self._settle(its_own, [head for head in heads if head[0] == journal], done)
            else:
                [journal] = journals
                self._store.forget(journal)
                self._alarm(journal[0], "stuck", journal[1])
                self._find_culprit(entries, heads, done)

    def _find_culprit(self, entries: Entries, heads: Heads, done: Stored) -> None:
        """Of one journal whose batch cannot be stored: half of it, and half of that, until an entry or the heads are left."""
        if len(entries) > 1:
            middle = len(entries) // 2
            self._settle(entries[:middle], (), done)
            self._settle(entries[middle:], heads, done)
        elif entries:
            log.exception("an entry that the database does not take")
            self._reject(entries[0][0].topic, entries[0][0].payload, "the database does not take it")
            if heads:
                self._settle((), heads, done)
        else:
            log.exception("heads that cannot be judged; they come again")

    def _report(self, done: Stored) -> None:
        self._counts["advanced"] += done.advanced
        for misfit in done.misfits:
            # It may have come long before its turn, in another batch.
            entry = misfit.sealed.entry
            self._reject(topics.event(entry.node, entry.type), misfit.sealed.body, misfit.reason)
        for node, kind, detail in alarms_of(done):
            self._alarm(node, kind, detail)
        for entry in done.disputed:
            # Raised with the entry itself.
            self._counts["disputed"] += 1
            log.error("ALARM: disputed of %s: %s", entry.node, entry.stream)

    def _acknowledge(self, answers: Mapping[Key, Answer]) -> None:
        for (node, stream), answer in answers.items():
            ack = Ack(self._instance, stream, _text(answer.cosigned), _text(answer.refusal))
            self._link.publish(Message(topics.ack(node), encode(ack), retain=True))

    def _recalls(self, heard: Iterable[tuple[Delivered, Origin]]) -> None:
        for one, origin in heard:
            recall = decode(one.payload, Recall)
            if recall is None:
                self._reject(one.topic, one.payload, "not a recall")
                continue
            self._counts["recalls"] += 1
            with self._blaming(one):
                for message in answers(self._database, origin.node, recall):
                    self._link.publish(message)

    # ---- what a person has to see

    @contextmanager
    def _blaming(self, one: Delivered) -> Iterator[None]:
        """What nobody thought of costs the message that brought it about, and no session.

        Raises:
            StorageFailed: the database is away, and no message is to blame.
        """
        try:
            yield
        except Exception:
            self._store.answers()
            log.exception("a message that cannot be dealt with")
            self._reject(one.topic, one.payload, "it cannot be dealt with")

    def _reject(self, topic: str, payload: bytes, reason: str) -> None:
        node = topics.node_of(topic)
        self._supervision.quarantine(node, topic, payload, reason, _now())
        self._alarm(node, "rejected", reason)

    def _unknown(self, node: str, stream: str) -> None:
        self._alarm(node, "not_enrolled", stream)

    def _alarm(self, node: str, kind: str, detail: str) -> None:
        self._counts[kind] += 1
        # The same trouble a thousand times a second is written down once a second.
        now = time.monotonic()
        if now - self._raised.get((node, kind, detail), -_TICK) < _TICK:
            return
        if len(self._raised) >= _MOST_RAISED:
            self._raised.clear()
        self._raised[node, kind, detail] = now
        if self._supervision.alarm(node, kind, detail, _now()):
            log.error("ALARM: %s of %s: %s", kind, node, detail)

    # ---- documents

    def _documents(self, heard: Iterable[tuple[Delivered, Origin]]) -> None:
        found: dict[Digest, bytes] = {}
        for one, origin in heard:
            name = Digest(origin.rest)
            frame = read_frame(one.payload)
            if frame is None:
                self._reject(one.topic, one.payload, "not a frame")
                continue
            try:
                content = self._requests.receive(origin.node, name, frame, time.monotonic())
            except WrongDocument:
                self._reject(one.topic, one.payload, "not the document that was asked for")
                continue
            if content is not None:
                found[name] = content
        if found:
            self._store.keep(found)
            self._requests.close(found)
            self._counts["documents"] += len(found)

    def _ask(self, missing: Sequence[tuple[str, Digest]], now: float) -> None:
        for node, digests in self._requests.ask(missing, now):
            self._link.publish(Message(topics.wanted(node), encode(digests)))

    def _ask_again(self, now: float) -> None:
        if self._present and now - self._asked_at >= ASK_AGAIN:
            self._asked_at = now
            self._ask(self._store.missing(sorted(self._present), _MOST_MISSING), now)


def alarms_of(done: Stored) -> Iterator[tuple[str, str, str]]:
    """What a person has to see of what was stored: node, kind and detail."""
    for entry in done.unfolded:
        yield entry.node, "unfolded", entry.type
    for head in done.refused:
        node, stream = node_and_stream(head.checkpoint.origin)
        yield node, "refused", f"{stream}: {head.checkpoint.size}"
    for head in done.unsigned:
        node, stream = node_and_stream(head.checkpoint.origin)
        yield node, "unsigned", f"{stream}: {head.checkpoint.size}"


def _presence(node: str, status: CabinetStatus) -> Presence:
    health = None if status.health is None else status.health.value
    return Presence(
        node=node,
        stream=status.stream,
        online=status.online,
        version=status.version,
        size=status.size,
        health=health,
        seen=_now(),
    )


def _now() -> Timestamp:
    return timestamp(datetime.now(UTC))


def _text(note: bytes | None) -> str | None:
    return None if note is None else note.decode()
