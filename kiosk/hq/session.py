"""One connection of headquarters: what comes in is stored, then acknowledged.

Invariants:
    * The order is always commit, PUBACK, acknowledgement; an acknowledgement never exceeds the contiguous prefix that is committed.
    * Everything in memory may vanish at any moment: cabinets send again what is not acknowledged.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Final

from kiosk.domain.identifiers import Digest
from kiosk.hq.admission import admit
from kiosk.hq.documents import ASK_AGAIN, Requests, WrongDocument
from kiosk.ledger.entry import digest
from kiosk.ledger.errors import BadEntry
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress, Connected, Delivered, Happening, Link, Lost, Message
from kiosk.mqtt.messages import Ack, CabinetStatus, HeadquartersStatus, decode, encode, read_frame
from kiosk.mqtt.topics import Kind, Origin
from kiosk.store.central import CentralStore
from kiosk.store.prefix import Key, Sealed, Stored

log = logging.getLogger(__name__)

#: Two letters: no cabinet can be called so, and take over this session.
CLIENT_ID: Final = "hq"
LARGEST_BATCH: Final = 500
#: In a flow of entries a batch waits this long to grow; an entry that comes alone does not wait at all.
LINGER: Final = 0.005
A_FLOW: Final = 16
_TICK: Final = 1.0
_MOST_MISSING: Final = 1_000


class Stop:
    """Put into the inbox, it ends the session."""


Inbox = SimpleQueue[Happening | Stop]


class Session:
    """From connecting to the broker until a stop, or until the database goes away.

    Args:
        store: headquarters' database.
        broker: where cabinets publish.
        instance: which headquarters this is.
        inbox: where paho's thread puts what it hears; a `Stop` in it ends the session.
        counts: what has happened, by name; kept across sessions.
        changed: told whether headquarters is online.
    """

    def __init__(
        self,
        store: CentralStore,
        broker: BrokerAddress,
        instance: str,
        inbox: Inbox,
        counts: Counter[str],
        changed: Callable[[bool], None],
    ) -> None:
        self._store, self._instance, self._inbox = store, instance, inbox
        self._counts, self._changed = counts, changed
        self._requests = Requests()
        self._present: set[str] = set()
        self._asked_at = 0.0
        self._link = Link(
            broker,
            CLIENT_ID,
            subscriptions=[
                topics.EVERY_EVENT,
                topics.EVERY_DOCUMENT,
                topics.EVERY_STATUS,
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
        """
        # Without its database headquarters is absent: it does not even connect.
        self._store.sizes()
        self._link.open()
        try:
            while (batch := self._gather()) is not None:
                self._deal_with(batch)
                self._ask_again(time.monotonic())
        finally:
            self._changed(False)
            self._link.close(self._status(online=False))

    def _gather(self) -> list[Happening] | None:
        """What happened, up to a batch of it; None when it is time to stop."""
        batch: list[Happening] = []
        deadline = time.monotonic() + _TICK
        while len(batch) < LARGEST_BATCH:
            try:
                happening = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            if isinstance(happening, Stop):
                return None
            batch.append(happening)
            if len(batch) == 1:
                deadline = 0.0
            elif len(batch) == A_FLOW:
                deadline = time.monotonic() + LINGER
        return batch

    def _deal_with(self, batch: Sequence[Happening]) -> None:
        delivered = [happening for happening in batch if isinstance(happening, Delivered)]
        heard = [(one, origin) for one in delivered if (origin := topics.origin(one.topic))]
        statuses = self._statuses(one for one in heard if one[1].kind is Kind.STATUS)
        done = self._events([one for one, origin in heard if origin.kind is Kind.EVENT])
        self._documents((one, origin) for one, origin in heard if origin.kind is Kind.DOCUMENT)
        for one in delivered:
            self._link.take(one)
        for happening in batch:
            self._notice(happening)
        self._acknowledge(statuses | done.sizes)
        if done.named:
            self._ask(self._store.lacking(done.named), time.monotonic())

    def _notice(self, happening: Happening) -> None:
        match happening:
            case Connected():
                self._acknowledge(self._store.sizes())
                self._link.publish(self._status(online=True))
                self._changed(True)
            case Lost():
                self._present.clear()
                self._changed(False)
            case Delivered(topics.HEADQUARTERS_STATUS, payload):
                said = decode(payload, HeadquartersStatus)
                if said is not None and not said.online:
                    # The will of an earlier connection came late, and would be believed.
                    self._link.publish(self._status(online=True))

    # ---- presence

    def _statuses(self, heard: Iterable[tuple[Delivered, Origin]]) -> dict[Key, int]:
        """Note who is there; a cabinet's presence also asks how far we have got with its stream."""
        asked: dict[Key, int] = {}
        for one, origin in heard:
            status = decode(one.payload, CabinetStatus)
            if status is None:
                self._reject(one, "not a status")
            elif status.online:
                self._present.add(origin.node)
                asked[origin.node, status.stream] = self._store.size(origin.node, status.stream)
            else:
                self._present.discard(origin.node)
        return asked

    def _status(self, *, online: bool) -> Message:
        return Message(topics.HEADQUARTERS_STATUS, encode(HeadquartersStatus(online, self._instance)), retain=True)

    # ---- entries

    def _events(self, delivered: Sequence[Delivered]) -> Stored:
        admitted: list[tuple[Delivered, Sealed]] = []
        for one in delivered:
            try:
                admitted.append((one, admit(one.topic, one.payload)))
            except BadEntry as e:
                self._reject(one, e.reason)
        done = Stored()
        if admitted:
            self._settle(admitted, done)
        self._report(done, len(admitted))
        return done

    def _settle(self, admitted: Sequence[tuple[Delivered, Sealed]], done: Stored) -> None:
        try:
            done.add(self._store.store([sealed for _, sealed in admitted]))
        except Exception:
            self._store.sizes()  # raises when the database is away, and then nobody is to blame
            if len(admitted) > 1:
                for one in admitted:
                    self._settle([one], done)
            else:
                log.exception("an entry that the database does not take")
                self._reject(admitted[0][0], "the database does not take it")

    def _report(self, done: Stored, admitted: int) -> None:
        self._counts["received"] += admitted
        self._counts["advanced"] += done.advanced
        for what in ("altered", "broken", "unfolded"):
            ids = getattr(done, what)
            self._counts[what] += len(ids)
            for id_ in ids:
                log.error("ALARM: %s entry %s", what, id_)

    def _acknowledge(self, sizes: Mapping[Key, int]) -> None:
        for (node, stream), size in sizes.items():
            answer = Ack(instance=self._instance, stream=stream, size=size)
            self._link.publish(Message(topics.ack(node), encode(answer), retain=True))

    def _reject(self, one: Delivered, reason: str) -> None:
        self._counts["rejected"] += 1
        log.error("ALARM: rejected %s on %s: %s", digest(one.payload), one.topic, reason)

    # ---- documents

    def _documents(self, heard: Iterable[tuple[Delivered, Origin]]) -> None:
        found: dict[Digest, bytes] = {}
        for one, origin in heard:
            name = Digest(origin.rest)
            frame = read_frame(one.payload)
            if frame is None:
                self._reject(one, "not a frame")
                continue
            try:
                content = self._requests.receive(name, frame, time.monotonic())
            except WrongDocument:
                self._reject(one, "not the document that was asked for")
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
