"""A cabinet's database made anew from headquarters' copy.

Invariants:
    * Entries are taken in only as the chained prefix of a journal, and the whole counts only when its root is the one in the head
      that was cosigned (`Intake.root`).
    * The old database is only read, after SQLite has undone what a power cut left half done in it.
    * What cannot be read of it is not passed over in silence (`Old.unread`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Select, Table, insert, select

from kiosk.domain.errors import BadCopy, StorageBusy, StorageFailed, TrousseauError
from kiosk.domain.events import StreamOpened
from kiosk.domain.identifiers import Digest
from kiosk.ledger.entry import NO_ENTRY, Entry, digest, unseal
from kiosk.ledger.errors import BadEntry
from kiosk.ledger.merkle import Frontier
from kiosk.services.codec import documents_of, event_from
from kiosk.store.central import SALT, digest_of
from kiosk.store.database import Database, rollback_file
from kiosk.store.journal import LINEAGE
from kiosk.store.stream import entry_row
from kiosk.store.tables import CABINET, access_log, documents, entries, meta, pins, preferences
from kiosk.store.tree import grow, keep_subtrees
from kiosk.store.writing import insert_new

log = logging.getLogger(__name__)

#: What never leaves the cabinet, and so only its old database can tell.
_LOCAL: Final[Sequence[Table]] = (pins, preferences, access_log)
_PAGE: Final = 1_000


class Intake:
    """One journal as it comes in from headquarters."""

    def __init__(self, database: Database, node: str, stream: str) -> None:
        self._database, self._node, self.stream = database, node, stream
        self._tree, self._prev = Frontier(), NO_ENTRY
        self.first: Entry | None = None
        self.named: dict[Digest, None] = {}

    @property
    def size(self) -> int:
        """How many entries there are so far."""
        return self._tree.size

    @property
    def root(self) -> bytes:
        """The root over them."""
        return self._tree.root()

    def take(self, bodies: Sequence[bytes]) -> None:
        """Append the entries that follow.

        Raises:
            BadCopy: one is no entry, or does not follow.
        """
        taken = [self._next(body, self.size + number) for number, body in enumerate(bodies, 1)]
        self.first = self.first or taken[0]
        self.named |= dict.fromkeys(name for entry in taken for name in documents_of(entry.data))
        with self._database.write() as connection:
            connection.execute(
                insert(entries), [entry_row(entry, body) for entry, body in zip(taken, bodies, strict=True)]
            )
            keep_subtrees(connection, self._node, self.stream, grow(self._tree, bodies))

    def _next(self, body: bytes, number: int) -> Entry:
        try:
            entry = unseal(body)
        except BadEntry as e:
            raise BadCopy(entry=number) from e
        if entry.id != f"{self._node}:{self.stream}:{number}" or entry.prev != self._prev:
            raise BadCopy(entry=number)
        self._prev = digest(body)
        return entry


class Restoration:
    """The new database of a cabinet. Until it is put in place nothing has changed.

    Args:
        path: where to make it.
        node: whose it is.
        stream: the new journal that goes on from here.
    """

    def __init__(self, path: Path, node: str, stream: str) -> None:
        path.unlink(missing_ok=True)  # left by an attempt that was cut short
        self.database = Database(path, CABINET, gapless=True)
        self._path, self._node, self._stream = path, node, stream

    def discard(self) -> None:
        """Leave nothing of it."""
        self.database.close()
        rollback_file(self._path).unlink(missing_ok=True)
        self._path.unlink()

    def intake(self, stream: str) -> Intake:
        """Begin to take in a journal."""
        return Intake(self.database, self._node, stream)

    def keep(self, found: Mapping[Digest, bytes]) -> None:
        """Keep documents (salt ‖ content) whose digest has been verified."""
        if found:
            rows = [{"digest": name, "salt": all_[:SALT], "content": all_[SALT:]} for name, all_ in found.items()]
            with self.database.write() as connection:
                insert_new(connection, documents, rows)

    def found(self, lineage: Sequence[str]) -> None:
        """Write who the new journal is, and which ones it follows, oldest first."""
        values = {"node": self._node, "stream": self._stream, LINEAGE: json.dumps(lineage)}
        with self.database.write() as connection:
            connection.execute(insert(meta), [{"name": name, "value": value} for name, value in values.items()])

    def inherit(self, old: Old) -> None:
        """Take over what only the old database knows."""
        with self.database.write() as connection:
            for table in _LOCAL:
                if rows := old.rows(table):
                    connection.execute(insert(table), rows)


class Old:
    """A cabinet's database as it was found. What of it cannot be read is not there: a card that died is why it is restored.

    Args:
        database: None where there is none, or none that can be opened.
        unread: whether there is one that cannot.
    """

    def __init__(self, database: Database | None, *, unread: bool = False) -> None:
        self._database = database
        #: Whether there was something that could not be read.
        self.unread = unread

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """A table, in memory."""
        return [dict(row) for row in self._all(select(table))]

    def documents(self, wanted: Sequence[Digest]) -> dict[Digest, bytes]:
        """Salt ‖ content of those of these documents that are here as they were written; a card that dies does not keep all so."""
        rows = self._all(select(documents).where(documents.c.digest.in_(wanted)))
        found = {Digest(row["digest"]): row["salt"] + row["content"] for row in rows}
        return {name: all_ for name, all_ in found.items() if digest_of(all_) == name}

    def beyond(self, copy: Database) -> list[bytes]:
        """The entries here that are not in headquarters' copy: what was recorded since the two last agreed."""
        streams = [row["stream"] for row in self._all(select(entries.c.stream).distinct())]
        rest = [body for stream in streams for body in _rest(self._bodies(stream), Old(copy)._bodies(stream))]
        return list(dict.fromkeys(body for last in rest for body in (*self._carried(last), last)))

    def _carried(self, body: bytes) -> list[bytes]:
        """The entries that this one, if it opens a journal, carries along as evidence: an earlier restore took them from a
        database that is set aside by now, and headquarters has not seen them either."""
        try:
            entry = unseal(body)
        except BadEntry:
            return []
        event = event_from(entry.type, entry.data)
        if not isinstance(event, StreamOpened) or event.evidence is None:
            return []
        return [line for all_ in self.documents([event.evidence]).values() for line in all_[SALT:].split(b"\n")]

    def _bodies(self, stream: str) -> Iterator[bytes]:
        done = 0
        query = select(entries.c.body).where(entries.c.stream == stream).order_by(entries.c.sequence).limit(_PAGE)
        while page := self._all(query.where(entries.c.sequence > done)):
            yield from (row["body"] for row in page)
            done += len(page)

    def _all(self, query: Select[Any]) -> Sequence[Mapping[Any, Any]]:
        try:
            if self._database is not None:
                with self._database.read() as connection:
                    return connection.execute(query).mappings().all()
        except StorageFailed as e:
            log.warning("the old database cannot be read: %s", e)
            self.unread = True
        return []


@contextmanager
def old_database(path: Path) -> Iterator[Old]:
    """Open the database that is there, if it can be opened at all. The caller is its one writer: beside a power cut's rollback file
    SQLite opens nothing that it may not write.

    Raises:
        StorageBusy: somebody reads it, and keeps it.
    """
    database, unread = None, False
    if path.exists():
        try:
            database = Database(path, (), gapless=True)
        except StorageBusy:
            raise
        except TrousseauError as e:
            # A card that died: then headquarters' copy is all there is.
            log.warning("the old database cannot be opened: %s", e)
            unread = True
    try:
        yield Old(database, unread=unread)
    finally:
        if database is not None:
            database.close()


def _rest(ours: Iterator[bytes], theirs: Iterator[bytes]) -> Iterator[bytes]:
    """Ours from the first one on that is not theirs."""
    for body in ours:
        if body != next(theirs, None):
            yield body
            yield from ours
