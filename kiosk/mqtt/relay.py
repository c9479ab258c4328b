"""The relay: the journal's entries to the broker, until headquarters says that it has them.

Invariants:
    * The ledger is the outbox: an entry is sent again until headquarters acknowledges it; a broker's PUBACK only refills the
      window.
    * One thread owns everything here; the others only put things in its inbox.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from kiosk.ledger.entry import unseal
from kiosk.ledger.errors import BadEntry
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress, Connected, Delivered, Happening, Link, Lost, Message, Published
from kiosk.mqtt.errands import Errands
from kiosk.mqtt.messages import Ack, CabinetStatus, HeadquartersStatus, Health, decode, decode_wanted, encode
from kiosk.mqtt.peer import Peer
from kiosk.mqtt.window import WINDOW, Window
from kiosk.services.ports import Cursors, Outbox

log = logging.getLogger(__name__)

#: MQTT 5 reason code: not authorized.
DENIED: Final = 0x87
#: The cursor only spares sending some entries twice after a restart, so it is written rarely.
CURSOR_EVERY: Final = 50
_CURSOR_SECONDS: Final = 30.0
_STATUS_SECONDS: Final = 60.0
_TICK: Final = 1.0
_TICK_WHILE_WAITING: Final = 0.2
#: Chunks on the way at once; few, so that an entry made meanwhile does not wait behind megabytes.
_MOST_CHUNKS: Final = 8
_STOP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """Where the relay stands, for people. `denied` counts publications that the broker forbade."""

    connected: bool
    headquarters: bool
    acked: int
    size: int
    denied: int
    halted: str | None


class _Wake:
    """Something was committed."""


class _Stop:
    """The service is stopping."""


class Relay:
    """Sends one journal to headquarters, and documents when asked.

    Args:
        outbox: the journal.
        cursors: where to remember how far headquarters had got.
        broker: where to send.
        version: ours, told in the presence message.
    """

    def __init__(self, outbox: Outbox, cursors: Cursors, broker: BrokerAddress, version: str) -> None:
        self._outbox, self._cursors, self._version = outbox, cursors, version
        self._inbox: SimpleQueue[Happening | _Wake | _Stop] = SimpleQueue()
        self._thread = Thread(target=self._run, name="relay", daemon=True)
        self._cursor_name = f"acked:{outbox.stream}"
        self._peer, self._errands = Peer(outbox.stream), Errands(outbox)
        self._window, self._on_the_way = Window(0), set[int]()
        self._connected, self._capacity = False, WINDOW
        self._size, self._stale = 0, True
        self._saved, self._saved_at = 0, 0.0
        self._announced, self._announced_at = -1, 0.0
        self._denied, self._health = 0, Health.OK
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
        self._window = Window(min(int(self._cursors.cursor(self._cursor_name) or 0), self._size))
        self._saved = self._window.acked
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
            case Lost():
                self._connected = False
                self._peer.gone()
                self._errands.clear()

    def _begin(self, window: int) -> None:
        self._connected, self._capacity = True, min(window, WINDOW)
        self._on_the_way.clear()
        self._window.restart(time.monotonic())
        self._announce()

    def _published(self, number: int, reason: int) -> None:
        self._on_the_way.discard(number)
        if reason == DENIED:
            self._denied += 1
            log.error("ALARM: the broker forbids us to publish; see its access list (%d times so far)", self._denied)

    def _delivered(self, topic: str, payload: bytes) -> None:
        if topic == topics.wanted(self._outbox.node):
            self._errands.ask(decode_wanted(payload))
        elif topic == topics.ack(self._outbox.node):
            if ack := decode(payload, Ack):
                self._peer.answered(ack)
        elif (status := decode(payload, HeadquartersStatus)) and self._peer.said(status):
            self._window.restart(time.monotonic())
        self._count()

    def _count(self) -> None:
        """Count what headquarters has acknowledged."""
        ack = self._peer.answer
        if ack is None:
            return
        if ack.size > self._size:
            self._size = self._outbox.size()
        if ack.size > self._size:
            self._stop_sending(
                Health.SMALLER_THAN_ACKNOWLEDGED, f"headquarters has {ack.size} entries, this journal {self._size}"
            )
            return
        if self._health is Health.SMALLER_THAN_ACKNOWLEDGED:
            self._become(Health.OK)
        self._window.acknowledge(ack.size, time.monotonic(), may_fall=self._peer.count(ack))

    def _stop_sending(self, why: Health, explanation: str) -> None:
        if self._health is not why:
            log.error("ALARM: the relay has stopped (%s): %s", why.value, explanation)
            self._become(why)

    def _become(self, health: Health) -> None:
        self._health = health
        self._announce()

    # ---- sending

    def _work(self, now: float) -> None:
        if self._connected and self._peer.present and self._health is Health.OK:
            if self._window.overdue(now) and (self._window.waiting or self._peer.silent):
                self._try_again(now)
            self._send_entries(now)
            self._send_documents()
        if self._stale:
            self._size, self._stale = self._outbox.size(), False
        if self._connected and self._size != self._announced and now - self._announced_at > _STATUS_SECONDS:
            self._announce()
        self._save_cursor(now)

    def _try_again(self, now: float) -> None:
        if self._peer.silent:
            # Our presence is what asks headquarters how far it has got, so tell it again.
            self._announce()
        # PUBACKs that are missing after all this time will not come either.
        self._link.forget()
        self._on_the_way.clear()
        self._window.go_back(now)

    def _send_entries(self, now: float) -> None:
        room = min(self._window.room, self._capacity - len(self._on_the_way))
        if room <= 0 or not (self._stale or self._window.sent < self._size):
            return
        bodies = self._outbox.read(self._window.sent, room)
        if len(bodies) < room:
            # The tail, which also tells the size without asking for it.
            self._size, self._stale = self._window.sent + len(bodies), False
        for body in bodies:
            message = self._entry(body)
            if message is None or not self._send(message):
                return
            self._window.sending(now)

    def _entry(self, body: bytes) -> Message | None:
        try:
            return Message(topics.event(self._outbox.node, unseal(body).type), body)
        except BadEntry as e:
            self._stop_sending(Health.UNREADABLE_ENTRY, f"entry {self._window.sent + 1}: {e.reason}")
            return None

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
        self._link.publish(self._state(online=True))

    def _save_cursor(self, now: float) -> None:
        behind = abs(self._window.acked - self._saved)
        at_tail = self._window.acked == self._size and now - self._saved_at > _CURSOR_SECONDS
        if behind >= CURSOR_EVERY or (behind and at_tail):
            self._keep_cursor(now)

    def _keep_cursor(self, now: float) -> None:
        self._cursors.keep_cursor(self._cursor_name, str(self._window.acked))
        self._saved, self._saved_at = self._window.acked, now

    def _say_goodbye(self) -> None:
        try:
            if self._window.acked != self._saved:
                self._keep_cursor(time.monotonic())
        except Exception:
            log.exception("the cursor was not kept; some entries will be sent twice")
        finally:
            self._link.close(self._state(online=False))
