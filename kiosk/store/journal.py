"""The journal: entries appended and folded in one transaction.

Invariants:
    * An entry's sequence number and `prev` come from the head read inside the same transaction.
    * Either every entry of a command, its documents and its fold are durable, or none is.
    * A command that was recorded before records nothing again.
    * The subtrees that an entry completes are stored with it, so that roots and proofs of any size cost a logarithm.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from kiosk.domain.errors import NotInitialised
from kiosk.domain.events import Event
from kiosk.domain.fold import Moment
from kiosk.domain.identifiers import CommandId, Digest, Timestamp
from kiosk.ledger.entry import NO_ENTRY, Entry, digest, seal, unseal
from kiosk.ledger.merkle import STRIDE, Frontier, frontier_at, inclusion_proof
from kiosk.services.codec import event_data, event_from, happening
from kiosk.services.ports import Clock, Reading, Recorded
from kiosk.services.timestamps import timestamp
from kiosk.store.database import Database
from kiosk.store.register import Fold
from kiosk.store.tables import LINES, documents, entries, meta
from kiosk.store.tree import StoredTree, grow, keep_subtrees
from kiosk.store.writing import write_rows

#: Before the day this was written no clock can be right.
EARLIEST = timestamp(datetime(2026, 1, 1, tzinfo=UTC))
PAGE = 2_000
#: Under this name `meta` lists the streams that a restored journal follows, oldest first.
LINEAGE = "lineage"

#: Statements of every act and of the relay, made once: making one anew costs more than SQLite takes to run it.
_OF_STREAM = (entries.c.node == bindparam("node"), entries.c.stream == bindparam("stream"))
# Not ordered by sequence: SQLite would then follow the primary key through the whole stream instead of finding the command.
_OF_COMMAND = select(entries.c.body).where(*_OF_STREAM, entries.c.command == bindparam("command"))
_LAST = select(entries.c.sequence, entries.c.body).where(*_OF_STREAM).order_by(entries.c.sequence.desc()).limit(1)
_FOLLOWING = (
    select(entries.c.body)
    .where(*_OF_STREAM, entries.c.sequence > bindparam("after"))
    .order_by(entries.c.sequence)
    .limit(bindparam("most"))
)
_APPEND = insert(entries)
_KEEP = insert(documents)

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


class StoredJournal:
    """One node's journal. Any thread may act; acts wait for each other."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        #: Called after each commit, outside the transaction; the relay wakes by it.
        self.committed: Callable[[], None] = lambda: None
        with database.read() as connection:
            self.node = _meta(connection, "node")
            self.stream = _meta(connection, "stream")
            self._lineage: Sequence[str] = json.loads(_found(connection, LINEAGE) or "[]")
            self._latest = _last_believed(connection, self.node, self.stream)

    @contextmanager
    def act(self, command: CommandId, actor: str) -> Iterator[ActTransaction]:
        """Open the transaction of one command."""
        with self._database.write() as connection:
            reading = self._clock.now()
            at = timestamp(reading.time)
            origin = Origin(self.node, self.stream, command, actor, reading, self.believes(at))
            act = ActTransaction(connection, origin)
            yield act
            act.finish()
        if act.recorded:
            self._latest = max(self._latest, at) if origin.clock_set else self._latest
            self.committed()

    def believes(self, time: Timestamp) -> bool:
        """Whether a clock that says this can be right: time has not gone back since the last entry that was believed."""
        return time >= self._latest

    @property
    def is_restored(self) -> bool:
        """Whether this journal follows others, which were restored from headquarters' copy."""
        return bool(self._lineage)

    def size(self) -> int:
        """How many entries there are."""
        with self._database.read() as connection:
            return _size(connection, self.node, self.stream)

    def read(self, after: int, limit: int) -> list[bytes]:
        """The bytes of the entries that follow sequence number `after`, in order."""
        wanted = {"node": self.node, "stream": self.stream, "after": after, "most": limit}
        with self._database.read() as connection:
            return list(connection.execute(_FOLLOWING, wanted).scalars())

    def frontier(self, size: int) -> Frontier:
        """The right edge of the Merkle tree over the first `size` entries.

        Raises:
            StorageFailed: there are fewer, or the stored tree is damaged.
        """
        with self._database.read() as connection:
            return frontier_at(size, StoredTree(connection, self.node, self.stream))

    def inclusion(self, sequence: int, size: int) -> list[bytes]:
        """The path from an entry to the root over the first `size` entries."""
        with self._database.read() as connection:
            return inclusion_proof(sequence - 1, size, StoredTree(connection, self.node, self.stream))

    def document(self, wanted: Digest) -> bytes | None:
        """Salt ‖ content of a document, if it is here."""
        with self._database.read() as connection:
            row = connection.execute(select(documents).where(documents.c.digest == wanted)).first()
        return None if row is None else row.salt + row.content

    def refold(self, progress: Progress) -> int:
        """Drop the register and fold it anew from the journal and those that it follows, in one transaction; returns the number
        of entries."""
        with self._database.write() as connection:
            for table in LINES.values():
                connection.execute(delete(table).where(table.c.node == self.node))
            streams = [(stream, _size(connection, self.node, stream)) for stream in (*self._lineage, self.stream)]
            total, done = sum(size for _, size in streams), 0
            fold = Fold(connection, self.node)
            for stream, size in streams:
                for after in range(0, size, PAGE):
                    self._fold_page(connection, fold, stream, after)
                    progress(done + min(after + PAGE, size), total)
                done += size
            fold.flush()
        return total

    def _fold_page(self, connection: Connection, fold: Fold, stream: str, after: int) -> None:
        wanted = {"node": self.node, "stream": stream, "after": after, "most": PAGE}
        for body in connection.execute(_FOLLOWING, wanted).scalars():
            fold_stored(fold, body)
        if fold.is_full:
            fold.flush()


def fold_entry(fold: Fold, entry: Entry) -> None:
    """Fold one entry; a type that only a later version knows is passed over until that version folds anew."""
    event = event_from(entry.type, entry.data)
    if event is not None:
        fold.apply(event, Moment(Timestamp(entry.time), not entry.clock_set))


def fold_stored(fold: Fold, body: bytes) -> None:
    """The same from an entry's stored bytes."""
    told = happening(body)
    if told is not None:
        fold.apply(*told)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an act's entries come from, and when."""

    node: str
    stream: str
    command: CommandId
    actor: str
    reading: Reading
    clock_set: bool


class ActTransaction:
    """One command in progress; see `services.ports.ActInProgress`."""

    def __init__(self, connection: Connection, origin: Origin) -> None:
        self._connection = connection
        self._origin = origin
        self._time = timestamp(origin.reading.time)
        self.lines = Fold(connection, origin.node)
        self.recorded: list[Recorded] = self._earlier()
        self.done = bool(self.recorded)
        self._documents: dict[Digest, tuple[bytes, bytes]] = {}
        self._bodies: list[tuple[Recorded, bytes]] = []
        self._sequence, self._prev = _head(connection, origin.node, origin.stream)
        self._size = self._sequence

    def keep(self, content: bytes) -> Digest:
        """Keep a document under the SHA-256 of a fresh 32-byte salt and its content."""
        salt = secrets.token_bytes(32)
        name = Digest(hashlib.sha256(salt + content).hexdigest())
        self._documents[name] = (salt, content)
        return name

    def record(self, event: Event) -> None:
        """Append an entry and fold it."""
        self._sequence += 1
        entry = Entry(
            node=self._origin.node,
            stream=self._origin.stream,
            sequence=self._sequence,
            type=event.type,
            subject=event.subject,
            time=self._time,
            prev=self._prev,
            monotonic=self._origin.reading.monotonic,
            boot=self._origin.reading.boot,
            clock_set=self._origin.clock_set,
            actor=self._origin.actor,
            command=self._origin.command,
            data=event_data(event),
        )
        body = seal(entry)
        self._prev = digest(body)
        self._bodies.append((_recorded(entry, self._prev), body))
        self.recorded.append(self._bodies[-1][0])
        self.lines.apply(event, Moment(self._time, not self._origin.clock_set))

    def finish(self) -> None:
        """Write everything; the commit follows."""
        if self._documents:
            rows = [{"digest": name, "salt": salt, "content": c} for name, (salt, c) in self._documents.items()]
            write_rows(self._connection, _KEEP, rows)
        if not self._bodies:
            return
        self._grow()
        write_rows(
            self._connection,
            _APPEND,
            [
                {
                    "node": self._origin.node,
                    "stream": self._origin.stream,
                    "sequence": recorded.sequence,
                    "command": self._origin.command,
                    "subject": recorded.subject,
                    "body": body,
                }
                for recorded, body in self._bodies
            ],
        )
        self.lines.flush()

    def _grow(self) -> None:
        """Store the subtrees that these entries complete; most acts complete none, and then nothing is read either."""
        if self._sequence >> STRIDE == self._size >> STRIDE:
            return
        node, stream = self._origin.node, self._origin.stream
        frontier = frontier_at(self._size, StoredTree(self._connection, node, stream))
        keep_subtrees(self._connection, node, stream, grow(frontier, (body for _, body in self._bodies)))

    def _earlier(self) -> list[Recorded]:
        origin = self._origin
        rows = self._connection.execute(
            _OF_COMMAND, {"node": origin.node, "stream": origin.stream, "command": origin.command}
        )
        earlier = (_recorded(unseal(row.body), digest(row.body)) for row in rows)
        return sorted(earlier, key=lambda recorded: recorded.sequence)


def _recorded(entry: Entry, hash_: str) -> Recorded:
    return Recorded(entry.sequence, entry.subject, entry.type, hash_, Timestamp(entry.time))


def _head(connection: Connection, node: str, stream: str) -> tuple[int, str]:
    row = connection.execute(_LAST, {"node": node, "stream": stream}).first()
    return (0, NO_ENTRY) if row is None else (row.sequence, digest(row.body))


def _last_believed(connection: Connection, node: str, stream: str) -> Timestamp:
    """The time of the last entry whose clock was believed: no believed entry is earlier than one before it."""
    newest_first = _LAST.limit(None).execution_options(yield_per=100)
    for row in connection.execute(newest_first, {"node": node, "stream": stream}):
        entry = unseal(row.body)
        if entry.clock_set:
            return Timestamp(entry.time)
    return EARLIEST


def _size(connection: Connection, node: str, stream: str) -> int:
    # The largest sequence number is the count: the triggers allow no gap. Counting rows would read them all.
    query = select(func.max(entries.c.sequence)).where(entries.c.node == node, entries.c.stream == stream)
    return connection.execute(query).scalar_one() or 0


def _meta(connection: Connection, name: str) -> str:
    value = _found(connection, name)
    if value is None:
        raise NotInitialised(missing=name)
    return value


def _found(connection: Connection, name: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()


def found_journal(database: Database, node: str, stream: str) -> None:
    """Write who this journal is into a database that holds none yet."""
    with database.write() as connection:
        connection.execute(insert(meta), [{"name": "node", "value": node}, {"name": "stream", "value": stream}])
