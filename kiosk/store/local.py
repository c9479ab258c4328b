"""What never leaves the cabinet: visits and the access log, PINs, preferences, cursors. Every call is durable when it returns."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Row, insert, select, update

from kiosk.domain.custody import Act
from kiosk.domain.identifiers import HookId, ItemId, PersonId, TagId, Timestamp, VisitId
from kiosk.domain.people import Language, Tier
from kiosk.services.ports import Opening, PinState
from kiosk.store.database import Database
from kiosk.store.tables import access_log, meta, pins, preferences, visits
from kiosk.store.writing import upsert


class LocalStore:
    """Implements the ports `Visits`, `Pins`, `Preferences` and `Cursor`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- visits

    def opened(self, opening: Opening) -> None:
        """Commit that the door is about to be opened."""
        row = {
            "visit": opening.visit,
            "person": opening.person,
            "tier": opening.tier,
            "opened": opening.at,
            "hanging": json.dumps(opening.hanging),
            "tapped": json.dumps(opening.tapped),
        }
        with self._database.write() as connection:
            connection.execute(insert(visits), [row])

    def tapped(self, visit: VisitId, items: Sequence[tuple[ItemId, Act]]) -> None:
        """Commit the visit's basket as it now stands."""
        with self._database.write() as connection:
            connection.execute(update(visits).where(visits.c.visit == visit).values(tapped=json.dumps(items)))

    def ended(self, visit: VisitId, at: Timestamp) -> None:
        """Commit that the visit is over."""
        with self._database.write() as connection:
            connection.execute(update(visits).where(visits.c.visit == visit).values(ended=at))

    def unended(self) -> Sequence[Opening]:
        """Visits without an end, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(visits).where(visits.c.ended.is_(None)).order_by(visits.c.opened))
            return [_opening(row) for row in rows]

    def noted(self, what: str, at: Timestamp, person: PersonId | None = None, tag: TagId | None = None) -> None:
        """Log a tap that opened nothing."""
        with self._database.write() as connection:
            connection.execute(insert(access_log), [{"what": what, "at": at, "person": person, "tag": tag}])

    # ---- PINs

    def pin_of(self, person: PersonId) -> PinState | None:
        """A person's PIN, if one was set."""
        with self._database.read() as connection:
            row = connection.execute(select(pins).where(pins.c.person == person)).first()
        return None if row is None else PinState(row.hash, row.failures, row.locked_until)

    def keep_pin(self, person: PersonId, state: PinState) -> None:
        """Store a new PIN."""
        row = {
            "person": person,
            "hash": state.hash,
            "failures": state.failures,
            "locked_until": state.locked_until,
        }
        with self._database.write() as connection:
            upsert(connection, pins, [row])

    def note_tries(self, person: PersonId, hash_: str, failures: int, locked_until: Timestamp | None) -> bool:
        """Store the tries at the PIN of this hash; False, and nothing changes, once another one was set."""
        tried = update(pins).where(pins.c.person == person, pins.c.hash == hash_)
        with self._database.write() as connection:
            return connection.execute(tried.values(failures=failures, locked_until=locked_until)).rowcount == 1

    # ---- preferences

    def language_of(self, person: PersonId) -> Language | None:
        """The language a person last chose here."""
        with self._database.read() as connection:
            query = select(preferences.c.language).where(preferences.c.person == person)
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else Language(found)

    def keep_language(self, person: PersonId, language: Language) -> None:
        """Remember it."""
        with self._database.write() as connection:
            upsert(connection, preferences, [{"person": person, "language": language}])

    # ---- cursors

    def cursor(self, name: str) -> str | None:
        """Where something had got to."""
        with self._database.read() as connection:
            return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()

    def keep_cursor(self, name: str, value: str) -> None:
        """Remember where something has got to."""
        with self._database.write() as connection:
            upsert(connection, meta, [{"name": name, "value": value}])


def _opening(row: Row[tuple[str, ...]]) -> Opening:
    return Opening(
        visit=VisitId(row.visit),
        person=PersonId(row.person),
        tier=Tier(row.tier),
        at=Timestamp(row.opened),
        hanging=tuple(HookId(hook) for hook in json.loads(row.hanging)),
        tapped=tuple((ItemId(item), Act(act)) for item, act in json.loads(row.tapped)),
    )
