"""What whoever answers for headquarters has to see: cabinets and how far behind they are, alarms, and what could not be placed.

Repeated trouble is one row that counts, so that a message sent for ever does not fill the disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, update

from kiosk.domain.errors import NoSuchAlarm, NotQuarantined
from kiosk.domain.identifiers import Timestamp
from kiosk.store.database import Database
from kiosk.store.enrolment import is_open
from kiosk.store.tables import alarms, presences, quarantine, streams, wanted
from kiosk.store.writing import insert_new, upsert

#: Of one node; beyond it only the alarm counts.
MOST_QUARANTINED: Final = 1_000
#: Of one node and kind: whoever finds ever new words for the same trouble does not fill the disk with them.
MOST_ALARMS: Final = 100
#: Of a payload only this much is kept, bytes; its digest is of the whole.
LARGEST_PAYLOAD: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What a cabinet said of itself, and when it was heard."""

    node: str
    stream: str
    online: bool
    version: str
    size: int | None
    health: str | None
    seen: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class CabinetLine:
    """One journal at headquarters: `cosigned` entries are here and signed for, and the documents of the first `complete` of them
    are all here. Nothing more is let in of one that is `closed`."""

    node: str
    stream: str
    cosigned: int
    complete: int
    missing: int
    refused: bool
    closed: bool
    presence: Presence | None

    @property
    def lag(self) -> int:
        """Entries that the cabinet has told of and that are not signed for."""
        claimed = self.presence.size if self.presence and self.presence.stream == self.stream else None
        return max(0, (claimed or 0) - self.cosigned)


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that a person has to look at."""

    id: int
    node: str
    kind: str
    detail: str
    first: Timestamp
    last: Timestamp
    times: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that could not be placed, without its payload: a list of a thousand would be a quarter of a gigabyte."""

    id: int
    node: str
    topic: str
    digest: str
    reason: str
    first: Timestamp
    last: Timestamp
    times: int


@dataclass(frozen=True, slots=True)
class Exhibit(Quarantined):
    """A message that could not be placed, as it came."""

    payload: bytes


_LISTED: Final = [quarantine.c[name] for name in Quarantined.__dataclass_fields__]
_JOURNALS: Final = select(streams, is_open.label("open")).order_by(streams.c.node, streams.c.grown)


class Supervision:
    """Presence, alarms and quarantine in headquarters' database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def heard(self, presence: Presence) -> None:
        """Note what a cabinet says of itself."""
        row = {name: getattr(presence, name) for name in Presence.__dataclass_fields__}
        with self._database.write() as connection:
            upsert(connection, presences, [row | {"online": int(presence.online)}])

    def alarm(self, node: str, kind: str, detail: str, at: Timestamp) -> bool:
        """Raise an alarm; False when it only counts one that was raised before, or too many of its kind were."""
        with self._database.write() as connection:
            return count_alarm(connection, node, kind, detail, at)

    def quarantine(self, node: str, topic: str, payload: bytes, reason: str, at: Timestamp) -> None:
        """Keep what could not be placed, unless too much of this node is kept already."""
        name, kept = hashlib.sha256(payload).hexdigest(), payload[:LARGEST_PAYLOAD]
        row = {"node": node, "topic": topic, "digest": name, "payload": kept, "reason": reason} | _once(at)
        with self._database.write() as connection:
            _count(connection, quarantine, row, ("topic", "digest"), ("node",), MOST_QUARANTINED)

    # ---- for people

    def cabinets(self) -> Sequence[CabinetLine]:
        """Every journal that was enrolled, by name."""
        absent = select(
            wanted.c.node, wanted.c.stream, func.min(wanted.c.sequence).label("first"), func.count().label("missing")
        ).group_by(wanted.c.node, wanted.c.stream)
        with self._database.read() as connection:
            gaps = {(row.node, row.stream): row for row in connection.execute(absent)}
            there = {row.node: _presence(row) for row in connection.execute(select(presences))}
            rows = connection.execute(_JOURNALS).all()
        return [_cabinet(row, gaps.get((row.node, row.stream)), there.get(row.node)) for row in rows]

    def alarms(self) -> Sequence[Alarm]:
        """Every alarm, the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(alarms).order_by(alarms.c.last.desc())).mappings()
            return [Alarm(**row) for row in rows]

    def close_alarm(self, id_: int) -> None:
        """Take an alarm off the list; the same trouble raises it anew.

        Raises:
            NoSuchAlarm: there is none of this number.
        """
        with self._database.write() as connection:
            if not connection.execute(delete(alarms).where(alarms.c.id == id_)).rowcount:
                raise NoSuchAlarm(id=id_)

    def quarantined(self) -> Sequence[Quarantined]:
        """Everything in quarantine, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(*_LISTED).order_by(quarantine.c.id)).mappings()
            return [Quarantined(**row) for row in rows]

    def quarantine_size(self) -> int:
        """How many messages are in quarantine."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(quarantine)).scalar_one()

    def find(self, id_: int) -> Exhibit:
        """One message in quarantine.

        Raises:
            NotQuarantined: there is none of this number.
        """
        with self._database.read() as connection:
            row = connection.execute(select(quarantine).where(quarantine.c.id == id_)).mappings().first()
        if row is None:
            raise NotQuarantined(id=id_)
        return Exhibit(**row)

    def release(self, id_: int) -> None:
        """Take a message out of quarantine: it was placed, or thrown away."""
        with self._database.write() as connection:
            connection.execute(delete(quarantine).where(quarantine.c.id == id_))


def count_alarm(connection: Connection, node: str, kind: str, detail: str, at: Timestamp) -> bool:
    """Raise an alarm within a transaction; see `Supervision.alarm`."""
    row = {"node": node, "kind": kind, "detail": detail} | _once(at)
    return _count(connection, alarms, row, ("node", "kind", "detail"), ("node", "kind"), MOST_ALARMS)


def _count(
    connection: Connection, table: Table, row: dict[str, Any], key: Sequence[str], alike: Sequence[str], most: int
) -> bool:
    """Count one more of this row, known by its `key`; True when it is the first. Of those that are `alike` only `most` are kept."""
    counted = update(table).where(*_same(table, row, key)).values(last=row["last"], times=table.c.times + 1)
    if connection.execute(counted).rowcount:
        return False
    kept = select(func.count()).select_from(table).where(*_same(table, row, alike))
    if connection.execute(kept).scalar_one() >= most:
        return False
    insert_new(connection, table, [row])
    return True


def _same(table: Table, row: dict[str, Any], names: Sequence[str]) -> list[ColumnElement[bool]]:
    return [table.c[name] == row[name] for name in names]


def _once(at: Timestamp) -> dict[str, Any]:
    return {"first": at, "last": at, "times": 1}


def _presence(row: Any) -> Presence:  # noqa: ANN401 - SQLAlchemy's own row
    fields = dict(row._mapping)
    return Presence(**fields | {"online": bool(fields["online"])})


def _cabinet(row: Any, gap: Any, presence: Presence | None) -> CabinetLine:  # noqa: ANN401 - SQLAlchemy's own rows
    return CabinetLine(
        node=row.node,
        stream=row.stream,
        cosigned=row.size,
        complete=row.size if gap is None else gap.first - 1,
        missing=0 if gap is None else gap.missing,
        refused=row.refusal is not None,
        closed=not row.open,
        presence=presence,
    )
