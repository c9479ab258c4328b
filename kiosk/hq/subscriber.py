"""`kiosk hq subscribe`: keeps a session with the broker for as long as the database answers and no other headquarters serves."""

from __future__ import annotations

import logging
import random
import uuid
from collections import Counter
from collections.abc import Mapping
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

from kiosk.domain.errors import NotRightful, StorageFailed
from kiosk.hq.session import Inbox, Session, Stop
from kiosk.mqtt.client import BrokerAddress
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.stream import Witness
from kiosk.store.supervision import Supervision

log = logging.getLogger(__name__)

#: Seconds between tries while the database is away.
FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 10.0
#: How often a standby looks whether it is its turn, seconds.
STANDBY_PAUSE: Final = 0.5
_STOP_SECONDS: Final = 15.0


class Subscriber:
    """Stores what every cabinet sends and says how far it has got. Of several on one database one serves, the others stand by.

    Args:
        database: headquarters' own, with the tables of `store.tables.HEADQUARTERS`.
        broker: where cabinets publish.
        witness: signs what headquarters has seen.
        instance: names this headquarters. When None each session has a name of its own, because each may find another database
            than the one before (a backup was restored, a standby took over): under a new name acknowledgements may fall, and
            cabinets send again what was lost.
    """

    def __init__(
        self, database: Database, broker: BrokerAddress, witness: Witness, instance: str | None = None
    ) -> None:
        self._database, self._broker, self._witness, self._instance = database, broker, witness, instance
        self._supervision = Supervision(database)
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
        """What has happened since the start, by name: received, advanced, documents, and the kinds of alarms."""
        return Counter(self._counts)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            before = self._counts.total()
            try:
                self._serve()
            except NotRightful:
                pause = STANDBY_PAUSE / 2
            except StorageFailed as e:
                log.warning("headquarters' database is away (%s); cabinets wait", e.values.get("reason"))
            except Exception:
                # This thread must not end: the cabinets keep what is not acknowledged, so beginning again loses nothing.
                log.exception("the session ended")
            pause = FIRST_PAUSE if self._counts.total() > before else min(2 * pause, LAST_PAUSE)
            self._stopping.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, guards nothing

    def _serve(self) -> None:
        # A new inbox: what the last session left unread was never acknowledged and comes again. And a new store: whoever served
        # meanwhile has written what the memory of an old one does not know.
        inbox: Inbox = SimpleQueue()
        self._inbox = inbox
        if self._stopping.is_set():
            return
        instance = self._instance or str(uuid.uuid4())
        with self._database.reign() as rightful:
            Session(
                self._database,
                CentralStore(self._database, self._witness),
                self._supervision,
                self._broker,
                instance,
                inbox,
                self._counts,
                self._set_online,
                rightful,
            ).run()

    def _set_online(self, online: bool) -> None:
        self._online = online
