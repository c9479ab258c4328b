"""`kiosk hq subscribe`: keeps a session with the broker for as long as the database answers."""

from __future__ import annotations

import logging
import random
import uuid
from collections import Counter
from collections.abc import Mapping
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

from kiosk.domain.errors import StorageFailed
from kiosk.hq.session import Inbox, Session, Stop
from kiosk.mqtt.client import BrokerAddress
from kiosk.store.central import CentralStore
from kiosk.store.database import Database

log = logging.getLogger(__name__)

#: Seconds between tries while the database is away.
FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 10.0
_STOP_SECONDS: Final = 15.0


class Subscriber:
    """Stores what every cabinet sends and says how far it has got.

    Args:
        database: headquarters' own, with the tables of `store.central.CENTRAL`.
        broker: where cabinets publish.
        instance: names this headquarters. When None each session has a name of its own, because each may find another database
            than the one before (a backup was restored, a standby took over): under a new name acknowledgements may fall, and
            cabinets send again what was lost.
    """

    def __init__(self, database: Database, broker: BrokerAddress, instance: str | None = None) -> None:
        self._store = CentralStore(database)
        self._broker = broker
        self._instance = instance
        self._counts: Counter[str] = Counter()
        self._online = False
        self._stopping = Event()
        self._inbox: Inbox = SimpleQueue()
        self._thread = Thread(target=self._run, name="subscriber", daemon=True)

    def start(self) -> None:
        """Start storing."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end the thread."""
        self._stopping.set()
        self._inbox.put(Stop())
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    @property
    def online(self) -> bool:
        """Whether the broker is reached and the database answers."""
        return self._online

    @property
    def counts(self) -> Mapping[str, int]:
        """What has happened since the start: received, advanced, rejected, altered, broken, unfolded, documents."""
        return Counter(self._counts)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            before = self._counts.total()
            try:
                self._serve()
            except StorageFailed as e:
                log.warning("headquarters' database is away (%s); cabinets wait", e.values.get("reason"))
            except Exception:
                # This thread must not end: the cabinets keep what is not acknowledged, so beginning again loses nothing.
                log.exception("the session ended")
            pause = FIRST_PAUSE if self._counts.total() > before else min(2 * pause, LAST_PAUSE)
            self._stopping.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, guards nothing

    def _serve(self) -> None:
        # A new inbox: what the last session left unread was never acknowledged and comes again.
        inbox: Inbox = SimpleQueue()
        self._inbox = inbox
        if not self._stopping.is_set():
            instance = self._instance or str(uuid.uuid4())
            Session(self._store, self._broker, instance, inbox, self._counts, self._set_online).run()

    def _set_online(self, online: bool) -> None:
        self._online = online
