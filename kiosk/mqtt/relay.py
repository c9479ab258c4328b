"""The relay: the journal's entries to the broker under signed heads, until headquarters has cosigned them.

Invariants:
    * The ledger is the outbox and the cosignature the acknowledgement: an entry is sent again until headquarters has signed for a
      root that covers it and that is our own; a broker's PUBACK only refills the window.
    * Commit, then sign, then publish: heads are made over what is read back from the journal.
    * One thread owns everything here; the others only put things in its inbox.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

import msgspec

from kiosk.ledger.errors import LedgerError
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress, Connected, Delivered, Happening, Link, Lost, Message, Published, Refused
from kiosk.mqtt.errands import Errands
from kiosk.mqtt.messages import Ack, CabinetStatus, HeadquartersStatus, Health, decode, decode_wanted, encode
from kiosk.mqtt.peer import Peer
from kiosk.mqtt.track import HEAD_EVERY, Track
from kiosk.mqtt.window import WINDOW, Window
from kiosk.services.heads import Answer, Heads, cosigned_cursor, refusal_cursor
from kiosk.services.ports import Cursors, Outbox, Trouble, Witnessed

log = logging.getLogger(__name__)

#: MQTT 5 reason code: not authorized.
DENIED: Final = 0x87
#: The broker's access list forbids us to publish: nothing is gained by trying more often than this, seconds.
DENIED_PAUSE: Final = 60.0
#: What headquarters signed last is for receipts, and spares sending entries twice after a restart; in a flow it is kept rarely.
CURSOR_EVERY: Final = 500
_CURSOR_SECONDS: Final = 1.0
_STATUS_SECONDS: Final = 60.0
_TICK: Final = 1.0
_TICK_WHILE_WAITING: Final = 0.2
#: Publications on the way at once: a window of entries, and their heads. A broker may allow fewer (mosquitto: 20); stretches are
#: made short enough that the next is sent while one is confirmed.
_MOST_ON_THE_WAY: Final = WINDOW + WINDOW // HEAD_EVERY
#: Chunks on the way at once; few, so that an entry made meanwhile does not wait behind megabytes.
_MOST_CHUNKS: Final = 8
_STOP_SECONDS: Final = 10.0

_TROUBLES: Final = {Health.REFUSED: Trouble.REFUSED, Health.BEHIND: Trouble.BEHIND}
#: Said of our history, with headquarters' signature: nothing that anybody else can bring about hides it.
_SIGNED: Final = frozenset({Health.BEHIND, Health.DIVERGED, Health.REFUSED})
#: Headquarters is asked again, which may settle it: a key was given meanwhile, or our head was lost on the way.
_OPEN: Final = frozenset({Health.UNTRUSTED, Health.DIVERGED})


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """Where the relay stands, for people. `denied` counts publications that the broker forbade."""

    connected: bool
    headquarters: bool
    acked: int
    size: int
    denied: int
    halted: str | None


class _Head(msgspec.Struct):
    """All that the relay has to know of an entry: the type, which is its topic."""

    type: str


_HEAD = msgspec.json.Decoder(_Head)


class _Wake:
    """Something was committed."""


class _Stop:
    """The service is stopping."""


class Relay:
    """Sends one journal to headquarters, and documents when asked.

    Args:
        outbox: the journal.
        cursors: where to remember what headquarters has signed.
        broker: where to send.
        version: ours, told in the presence message.
        heads: signs the journal's heads and verifies headquarters' answers.
    """

    def __init__(self, outbox: Outbox, cursors: Cursors, broker: BrokerAddress, version: str, heads: Heads) -> None:
        self._outbox, self._cursors, self._version, self._heads = outbox, cursors, version, heads
        self._inbox: SimpleQueue[Happening | _Wake | _Stop] = SimpleQueue()
        self._thread = Thread(target=self._run, name="relay", daemon=True)
        self._peer, self._errands, self._track = Peer(outbox.stream), Errands(outbox), Track(outbox, heads)
        self._window, self._on_the_way = Window(0), set[int]()
        self._connected, self._capacity, self._stretch = False, _MOST_ON_THE_WAY, HEAD_EVERY
        self._size, self._stale = 0, True
        self._answer, self._saved, self._saved_at = Answer("", outbox.stream), 0, 0.0
        self._announced, self._announced_at = -1, 0.0
        self._denied, self._denied_at, self._health = 0, 0.0, Health.OK
        self._link = Link(
            broker,
            outbox.node,
            subscriptions=[topics.ack(outbox.node), topics.wanted(outbox.node), topics.HEADQUARTERS_STATUS],
            will=self._presence(CabinetStatus(online=False, version=version, stream=outbox.stream)),
            heard=self._inbox.put,
            inflight=0,
        )

    def start(self) -> None:
        """Start sending."""
        self._size = self._outbox.size()
        self._remember()
        self._thread.start()
        self._link.open()

    def stop(self) -> None:
        """Say goodbye and end the thread."""
        self._inbox.put(_Stop())
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def wake(self) -> None:
        """Something was committed. Any thread may call this; it never blocks."""
        self._inbox.put(_Wake())

    @property
    def halted(self) -> str | None:
        """Why sending has stopped until a person looks (a value of `messages.Health`), or None."""
        return None if self._health is Health.OK else self._health.value

    @property
    def status(self) -> RelayStatus:
        """Where the relay stands."""
        present = self._connected and self._peer.present
        return RelayStatus(self._connected, present, self._window.acked, self._size, self._denied, self.halted)

    @property
    def view(self) -> Witnessed:
        """What headquarters has seen; see `services.ports.Witness`."""
        cosigned = self._answer.cosigned
        at = None if cosigned is None else datetime.fromtimestamp(cosigned.at, UTC)
        online = self._connected and self._peer.present
        return Witnessed(self._answer.size, at, online, self._trouble)

    @property
    def _trouble(self) -> Trouble | None:
        if self._outbox.is_restored and not self._answer.size:
            return Trouble.UNCONFIRMED
        return _TROUBLES.get(self._health)

    # ---- what the relay's thread hears

    def _run(self) -> None:
        while True:
            try:
                if self._hear():
                    break
                self._work(time.monotonic())
            except Exception:
                # The disk fails, say. The desk sees to that; this thread must not end, so it tries again at the next tick.
                log.exception("the relay stumbled")
                time.sleep(_TICK)
        self._say_goodbye()

    def _hear(self) -> bool:
        """Deal with everything that happened, waiting a moment for it; tells whether to stop."""
        try:
            happening = self._inbox.get(timeout=_TICK_WHILE_WAITING if self._window.waiting else _TICK)
            while not isinstance(happening, _Stop):
                self._deal_with(happening)
                happening = self._inbox.get_nowait()
        except Empty:
            return False
        return True

    def _deal_with(self, happening: Happening | _Wake) -> None:
        match happening:
            case _Wake():
                self._stale = True
            case Published(number, reason):
                self._published(number, reason)
            case Delivered(topic, payload):
                self._delivered(topic, payload)
            case Connected(window):
                self._begin(window)
            case Refused(_, reason):
                self._halt(Health.DENIED, reason)
            case Lost():
                self._connected = False
                self._peer.gone()
                self._errands.clear()

    def _begin(self, window: int) -> None:
        # A head and an entry have to be on the way together; mosquitto confirms each before it reads the next, whatever it allows.
        self._connected, self._capacity = True, max(2, min(window, _MOST_ON_THE_WAY))
        self._stretch = max(1, min(HEAD_EVERY, self._capacity // 2 - 1))
        self._on_the_way.clear()
        self._window.restart(time.monotonic())
        if self._health is Health.DENIED:
            self._health = Health.OK
        self._announce()

    def _published(self, number: int, reason: int) -> None:
        self._on_the_way.discard(number)
        if reason == DENIED:
            self._denied, self._denied_at = self._denied + 1, time.monotonic()
            self._halt(Health.DENIED, "the broker's access list forbids us to publish")

    def _delivered(self, topic: str, payload: bytes) -> None:
        if topic == topics.wanted(self._outbox.node):
            self._errands.ask(decode_wanted(payload))
        elif topic == topics.ack(self._outbox.node):
            if ack := decode(payload, Ack):
                self._answered(ack)
        elif (status := decode(payload, HeadquartersStatus)) and self._peer.said(status):
            self._window.restart(time.monotonic())
        self._count()

    # ---- what headquarters has signed

    def _answered(self, ack: Ack) -> None:
        if ack.stream != self._outbox.stream:
            return
        try:
            answer = self._heads.read(ack.instance, ack.stream, ack.checkpoint, ack.refusal)
        except LedgerError as e:
            # Not a word of it is believed; what was believed before stays.
            self._halt(Health.UNTRUSTED, f"an answer by no headquarters that is trusted (kiosk keys trust): {e}")
            return
        self._recovered(Health.UNTRUSTED)
        self._peer.answered(answer)

    def _count(self) -> None:
        """Count what headquarters has signed for, when it is our own history."""
        answer = self._peer.answer
        if answer is None or self._health is Health.REFUSED:
            return
        if max(answer.size, answer.refusal.size if answer.refusal else 0) > self._size:
            self._size = self._outbox.size()
        judged = self._judge(answer)
        if judged is Health.OK:
            self._recovered(Health.BEHIND, Health.DIVERGED)
            self._accept(answer)
        elif judged is Health.REFUSED:
            # Written down once it has stopped: on a full disk nothing is taken either.
            self._cursors.keep_cursor(refusal_cursor(self._outbox.stream), answer.refusal_note.decode())

    def _judge(self, answer: Answer) -> Health:
        """What headquarters' signatures make of our history; whatever is not well stops us."""
        if answer.refusal and self._is_ours(answer.refusal.size, answer.refusal.root):
            judged, why = Health.REFUSED, "headquarters has refused this journal's history, with its signature"
        elif answer.size > self._size:
            judged = Health.BEHIND
            why = f"headquarters has signed for {answer.size} entries, this journal has {self._size}"
        elif answer.cosigned and not self._is_ours(answer.size, answer.cosigned.checkpoint.root):
            judged, why = Health.DIVERGED, f"headquarters has signed for other entries than our first {answer.size}"
        else:
            return Health.OK
        self._halt(judged, why)
        return judged

    def _is_ours(self, size: int, root: bytes) -> bool:
        return size <= self._size and self._track.root(size) == root

    def _accept(self, answer: Answer) -> None:
        may_fall = self._peer.count(answer)
        self._window.acknowledge(answer.size, time.monotonic(), may_fall=may_fall)
        self._track.acknowledged(self._window.acked)
        if answer.size >= self._answer.size:
            self._answer = answer

    def _halt(self, why: Health, explanation: str) -> None:
        if self._health is not why and (why in _SIGNED or self._health not in _SIGNED):
            log.error("ALARM: the relay has stopped (%s): %s", why.value, explanation)
            self._become(why)

    def _recovered(self, *causes: Health) -> None:
        if self._health in causes:
            self._become(Health.OK)

    def _become(self, health: Health) -> None:
        self._health = health
        self._announce()

    # ---- sending

    def _work(self, now: float) -> None:
        if self._health is Health.DENIED and self._connected and now - self._denied_at > DENIED_PAUSE:
            self._recovered(Health.DENIED)
        if self._connected and self._peer.present and self._health is Health.OK:
            if self._window.overdue(now) and (self._window.waiting or self._peer.silent):
                self._try_again(now)
            if not self._peer.silent:
                # A headquarters that has not answered may not have let us in, and then all that we send is lost.
                self._send_entries(now)
            self._send_documents()
        if self._stale:
            self._size, self._stale = self._outbox.size(), False
        is_due = self._size != self._announced or self._health in _OPEN
        if self._connected and is_due and now - self._announced_at > _STATUS_SECONDS:
            self._announce()
        self._save(now)

    def _try_again(self, now: float) -> None:
        if self._peer.silent:
            # Our presence is what asks headquarters how far it has got, so tell it again.
            self._announce()
        # PUBACKs that are missing after all this time will not come either.
        self._link.forget()
        self._on_the_way.clear()
        self._window.go_back(now)

    def _send_entries(self, now: float) -> None:
        """Send stretches of entries, each behind the head that covers it, while there is room for a whole one."""
        while self._stale or self._window.sent < self._size:
            room = min(self._window.room, self._capacity - len(self._on_the_way) - 1)
            bodies = self._outbox.read(self._window.sent, self._stretch)
            if len(bodies) < self._stretch:
                # The tail, which also tells the size without asking for it.
                self._size, self._stale = self._window.sent + len(bodies), False
            if not bodies or len(bodies) > room or not self._send_stretch(bodies, now):
                return

    def _send_stretch(self, bodies: list[bytes], now: float) -> bool:
        try:
            entries = [Message(topics.event(self._outbox.node, _HEAD.decode(body).type), body) for body in bodies]
        except msgspec.MsgspecError as e:
            self._halt(Health.UNREADABLE_ENTRY, f"an entry after {self._window.sent}: {e}")
            return False
        self._track.begin(self._window.sent)
        if not self._send(Message(topics.checkpoint(self._outbox.node), self._track.head(bodies))):
            return False
        for entry in entries:
            if not self._send(entry):
                return False
            self._window.sending(now)
        return True

    def _send_documents(self) -> None:
        while len(self._on_the_way) < min(self._capacity, _MOST_CHUNKS):
            chunk = self._errands.next()
            if chunk is None or not self._send(chunk):
                return

    def _send(self, message: Message) -> bool:
        number = self._link.publish(message)
        if number is not None:
            self._on_the_way.add(number)
        return number is not None

    # ---- presence and memory

    def _presence(self, status: CabinetStatus) -> Message:
        return Message(topics.status(self._outbox.node), encode(status), retain=True)

    def _state(self, *, online: bool) -> Message:
        return self._presence(CabinetStatus(online, self._version, self._outbox.stream, self._size, self._health))

    def _announce(self) -> None:
        self._announced, self._announced_at = self._size, time.monotonic()
        self._send(self._state(online=True))
        if self._health is Health.DIVERGED and (answer := self._peer.answer):
            # Shown ours, headquarters refuses it with its signature: only that counts against us.
            self._send(Message(topics.checkpoint(self._outbox.node), self._track.head_at(answer.size)))

    def _remember(self) -> None:
        """After a start: what headquarters had signed, if its signature still convinces; it may be against us, as any answer.

        Raises:
            StorageFailed: the journal's tree is damaged.
        """
        stream = self._outbox.stream
        note = self._cursors.cursor(cosigned_cursor(stream))
        refusal = self._cursors.cursor(refusal_cursor(stream))
        try:
            answer = self._heads.read("", stream, note, refusal)
        except LedgerError as e:
            log.warning("what headquarters had signed does not convince any more, everything is sent again: %s", e)
            return
        self._judge(answer)
        if answer.cosigned and self._is_ours(answer.size, answer.cosigned.checkpoint.root):
            self._answer, self._saved = answer, answer.size
            self._window = Window(answer.size)

    def _save(self, now: float) -> None:
        behind = self._answer.size - self._saved
        at_tail = self._answer.size == self._size and now - self._saved_at > _CURSOR_SECONDS
        if behind >= CURSOR_EVERY or (behind and at_tail):
            self._keep(now)

    def _keep(self, now: float) -> None:
        self._cursors.keep_cursor(cosigned_cursor(self._outbox.stream), self._answer.note.decode())
        self._saved, self._saved_at = self._answer.size, now

    def _say_goodbye(self) -> None:
        try:
            if self._answer.size != self._saved:
                self._keep(time.monotonic())
        except Exception:
            log.exception("what headquarters has signed was not kept; some entries will be sent twice")
        finally:
            self._link.close(self._state(online=False))
