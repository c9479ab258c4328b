"""The central register, as people read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kiosk.domain.identifiers import PersonId, Timestamp
from kiosk.ledger.entry import Entry
from kiosk.services.ports import FeedLine, InventoryFilter, InventoryPage
from kiosk.store.central import newest
from kiosk.store.database import Database
from kiosk.store.register import StoredRegister


class CentralRegister:
    """Headquarters' copy of every cabinet's register; see `services.ports.Headquarters`.

    Args:
        database: headquarters' own.
        is_online: tells whether the broker is reached, `lambda: subscriber.online` where a subscriber runs.
    """

    def __init__(self, database: Database, is_online: Callable[[], bool]) -> None:
        self._database = database
        self._is_online = is_online
        self._register = StoredRegister(database, None)

    @property
    def online(self) -> bool:
        """Whether the broker is reached."""
        return self._is_online()

    def feed(self, limit: int) -> Sequence[FeedLine]:
        """The newest entries, newest first."""
        found = newest(self._database, limit)
        people = {(entry.node, entry.data["person"]) for entry in found if isinstance(entry.data.get("person"), str)}
        names = {person: self._name(*person) for person in people}
        return [_line(entry, names.get((entry.node, entry.data.get("person")))) for entry in found]

    def inventory(self, wanted: InventoryFilter, page: int, size: int) -> InventoryPage:
        """A page of the central register."""
        return self._register.inventory(wanted, page, size)

    def _name(self, node: str, person: PersonId) -> str | None:
        name = StoredRegister(self._database, node).name_of(person)
        return None if name == person else name


def _line(entry: Entry, person: str | None) -> FeedLine:
    return FeedLine(entry.id, entry.node, entry.sequence, entry.type, entry.subject, Timestamp(entry.time), person)
