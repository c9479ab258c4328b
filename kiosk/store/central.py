"""Headquarters' database: what every cabinet sent, how far each journal is complete, and which documents are missing.

Invariants:
    * Bytes that were stored under (node, stream, sequence) never change; other bytes that come later under the same key are
      evidence of something wrong, and are not stored.
    * A stream's `size` is its contiguous prefix, chained by `prev`, committed in the same transaction as the entries and their
      fold.
    * Everything here may be done again: the same batch twice leaves the same database.

Statements are made once and take parameters: making them anew costs more than PostgreSQL takes to run them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from kiosk.domain.identifiers import Digest
from kiosk.ledger.entry import NO_ENTRY, Entry, digest, unseal
from kiosk.services.codec import documents_of
from kiosk.store.database import Database, insert_new, upsert
from kiosk.store.journal import fold_entry
from kiosk.store.register import Fold
from kiosk.store.tables import HEADQUARTERS, documents, entries, metadata, streams, wanted

#: Salt bytes in front of a document's content.
SALT: Final = 32
_PAGE: Final = 500
_DIGEST: Final = re.compile("[0-9a-f]{64}")

#: In which order streams last grew: the newest entries are found by it without reading any stream that did not.
arrivals = Table(
    "arrivals",
    metadata,
    Column("node", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    # A busy headquarters would use up 32 bits within six years.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), nullable=False, index=True),
    sqlite_strict=True,
)

#: Every table of headquarters.
CENTRAL: Final = (*HEADQUARTERS, arrivals)

Key = tuple[str, str]
"""Node and stream."""

_OF_STREAM = (entries.c.node == bindparam("node"), entries.c.stream == bindparam("stream"))
_BODIES = select(entries.c.sequence, entries.c.body).where(*_OF_STREAM)
_THESE = _BODIES.where(entries.c.sequence.in_(bindparam("sequences", expanding=True)))
_AFTER = _BODIES.where(entries.c.sequence > bindparam("after")).order_by(entries.c.sequence).limit(_PAGE)
_NEXT = and_(
    entries.c.node == streams.c.node, entries.c.stream == streams.c.stream, entries.c.sequence > streams.c.size
)
#: A stream's head and, in the same round trip, what is stored beyond it.
_HEAD = (
    select(streams.c.size, streams.c.head, entries.c.sequence, entries.c.body)
    .select_from(streams.outerjoin(entries, _NEXT))
    .where(streams.c.node == bindparam("node"), streams.c.stream == bindparam("stream"))
    .order_by(entries.c.sequence)
    .limit(_PAGE)
)
_GROWN = (
    update(streams)
    .where(streams.c.node == bindparam("of_node"), streams.c.stream == bindparam("of_stream"))
    .values(size=bindparam("new_size"), head=bindparam("new_head"))
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry and the bytes that it was read from."""

    entry: Entry
    body: bytes

    @property
    def key(self) -> Key:
        """Which journal it belongs to."""
        return self.entry.node, self.entry.stream


@dataclass(slots=True)
class Stored:
    """What a batch has done: each stream's size, documents that entries name, and what is wrong, as ids of entries."""

    sizes: dict[Key, int] = field(default_factory=dict)
    advanced: int = 0
    named: dict[Digest, str] = field(default_factory=dict)
    altered: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unfolded: list[str] = field(default_factory=list)

    def add(self, more: Stored) -> None:
        """Count what another part of the same batch has done."""
        self.sizes |= more.sizes
        self.advanced += more.advanced
        self.named |= more.named
        self.altered += more.altered
        self.broken += more.broken
        self.unfolded += more.unfolded


class CentralStore:
    """Writes headquarters' database. One thread uses it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._latest: Key | None = None

    def sizes(self) -> Mapping[Key, int]:
        """How far every stream is complete.

        Raises:
            StorageFailed: the database does not answer.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(streams.c.node, streams.c.stream, streams.c.size))
            return {(row.node, row.stream): row.size for row in rows}

    def size(self, node: str, stream: str) -> int:
        """How far a stream is complete; 0 when it is not known."""
        query = select(streams.c.size).where(streams.c.node == node, streams.c.stream == stream)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none() or 0

    def store(self, batch: Sequence[Sealed]) -> Stored:
        """Store entries and everything that follows from them, in one transaction; repeating it changes nothing.

        Raises:
            StorageFailed: nothing was stored.
        """
        done = Stored()
        with self._database.write() as connection:
            done.altered = _insert(connection, batch)
            for key, group in groupby(sorted(batch, key=_order), key=lambda sealed: sealed.key):
                if _Stream(connection, key, {sealed.body: sealed for sealed in group}, done).settle():
                    self._grown(connection, key)
            if done.named:
                _want(connection, done.named)
        return done

    def lacking(self, named: Mapping[Digest, str]) -> list[tuple[str, Digest]]:
        """Which of the documents that a batch named are not here; the others are not wanted after all."""
        with self._database.read() as connection:
            here = set(connection.execute(_among(documents, named)).scalars())
        if here:
            with self._database.write() as connection:
                connection.execute(delete(wanted).where(wanted.c.digest.in_(here)))
        return [(node, name) for name, node in named.items() if name not in here]

    def missing(self, nodes: Sequence[str], limit: int) -> list[tuple[str, Digest]]:
        """Documents that entries of these nodes name and that have not come yet."""
        query = select(wanted.c.node, wanted.c.digest).where(wanted.c.node.in_(nodes)).limit(limit)
        with self._database.read() as connection:
            return [(row.node, Digest(row.digest)) for row in connection.execute(query)]

    def keep(self, found: Mapping[Digest, bytes]) -> None:
        """Keep documents (salt ‖ content) whose digest has been verified; they are no longer wanted."""
        rows = [{"digest": name, "salt": all_[:SALT], "content": all_[SALT:]} for name, all_ in found.items()]
        with self._database.write() as connection:
            insert_new(connection, documents, rows)
            connection.execute(delete(wanted).where(wanted.c.digest.in_(list(found))))

    def _grown(self, connection: Connection, key: Key) -> None:
        # While one stream grows it stays the latest. After a failed commit it may be remembered wrongly, which
        # misplaces a line of the feed until another stream grows, and nothing else.
        if key == self._latest:
            return
        number = connection.execute(select(func.max(arrivals.c.number))).scalar_one() or 0
        upsert(connection, arrivals, [{"node": key[0], "stream": key[1], "number": number + 1}])
        self._latest = key


def newest(database: Database, limit: int) -> list[Entry]:
    """The newest entries of all streams, newest first."""
    latest = select(arrivals.c.node, arrivals.c.stream).order_by(arrivals.c.number.desc()).limit(limit)
    with database.read() as connection:
        keys = connection.execute(latest).all()
        found = [entry for node, stream in keys for entry in _tail(connection, node, stream, limit)]
    return sorted(found, key=lambda entry: (entry.time, entry.sequence), reverse=True)[:limit]


def _tail(connection: Connection, node: str, stream: str, limit: int) -> Iterator[Entry]:
    query = select(entries.c.body).where(entries.c.node == node, entries.c.stream == stream)
    for row in connection.execute(query.order_by(entries.c.sequence.desc()).limit(limit)):
        yield unseal(row.body)


def digest_of(content: bytes) -> Digest:
    """The digest of a document's salt ‖ content."""
    return Digest(hashlib.sha256(content).hexdigest())


class _Stream:
    """One stream within a batch's transaction. `known` spares reading anew the entries that have just come."""

    def __init__(self, connection: Connection, key: Key, known: Mapping[bytes, Sealed], done: Stored) -> None:
        self._connection, self._key, self._known, self._done = connection, key, known, done
        self._fold = Fold(connection, key[0])
        self._size, self._head = 0, NO_ENTRY

    def settle(self) -> bool:
        """Advance over what is stored beyond the prefix, as far as the chain holds; tells whether it grew."""
        rest = self._look()
        before = self._size
        while rest and self._advance(rest):
            rest = self._bodies(_AFTER, after=self._size) if len(rest) == _PAGE else []
        self._done.sizes[self._key] = self._size
        self._done.advanced += self._size - before
        if self._size > before:
            self._fold.flush()
            parameters = {"of_node": self._key[0], "of_stream": self._key[1]}
            self._connection.execute(_GROWN, parameters | {"new_size": self._size, "new_head": self._head})
        return self._size > before

    def _look(self) -> list[tuple[int, bytes]]:
        node, stream = self._key
        rows = self._connection.execute(_HEAD, {"node": node, "stream": stream}).all()
        if not rows:
            row = {"node": node, "stream": stream, "size": 0, "head": NO_ENTRY}
            insert_new(self._connection, streams, [row])
            return self._bodies(_AFTER, after=0)
        self._size, self._head = rows[0].size, rows[0].head
        return [(row.sequence, row.body) for row in rows if row.sequence is not None]

    def _bodies(self, query: Executable, **parameters: int) -> list[tuple[int, bytes]]:
        node, stream = self._key
        return [tuple(row) for row in self._connection.execute(query, {"node": node, "stream": stream, **parameters})]

    def _advance(self, rest: Sequence[tuple[int, bytes]]) -> bool:
        """Advance over these; tells whether the last of them was reached, so that more may follow."""
        for sequence, body in rest:
            if sequence != self._size + 1:
                return False
            sealed = self._known.get(body) or Sealed(unseal(body), body)
            if sealed.entry.prev != self._head:
                self._done.broken.append(sealed.entry.id)
                return False
            self._append(sealed)
        return True

    def _append(self, sealed: Sealed) -> None:
        self._size, self._head = sealed.entry.sequence, digest(sealed.body)
        try:
            fold_entry(self._fold, sealed.entry)
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError):
            # Its place in the chain is certain, only its meaning is not: a later version, or a person, will see to it.
            self._done.unfolded.append(sealed.entry.id)
        for name in documents_of(sealed.entry.data):
            if _is_digest(name):
                self._done.named[name] = sealed.entry.node


def _order(sealed: Sealed) -> tuple[str, str, int]:
    return *sealed.key, sealed.entry.sequence


def _insert(connection: Connection, batch: Sequence[Sealed]) -> list[str]:
    """Insert what is new; the ids of those whose place holds other bytes, or that have no place."""
    first = {sealed.entry.id: sealed for sealed in reversed(batch)}
    statement = _insert_statement(connection.dialect.name)
    rows = connection.execute(statement, [_row(sealed) for sealed in first.values()])
    new = {f"{node}:{stream}:{sequence}" for node, stream, sequence in rows}
    suspects = [one for one in batch if one.entry.id not in new or first[one.entry.id] is not one]
    return _altered(connection, suspects)


@cache
def _insert_statement(dialect: str) -> Executable:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    # Without a target the clause also passes over a second entry for the same command and subject, which has no place.
    place = (entries.c.node, entries.c.stream, entries.c.sequence)
    return insert(entries).on_conflict_do_nothing().returning(*place)


def _altered(connection: Connection, suspects: Sequence[Sealed]) -> list[str]:
    altered = []
    for (node, stream), group in groupby(sorted(suspects, key=_order), key=lambda sealed: sealed.key):
        came = list(group)
        sequences = sorted({sealed.entry.sequence for sealed in came})
        rows = connection.execute(_THESE, {"node": node, "stream": stream, "sequences": sequences})
        kept = {row.sequence: row.body for row in rows}
        altered += [sealed.entry.id for sealed in came if kept.get(sealed.entry.sequence) != sealed.body]
    return altered


def _row(sealed: Sealed) -> dict[str, Any]:
    entry = sealed.entry
    return {
        "node": entry.node,
        "stream": entry.stream,
        "sequence": entry.sequence,
        "command": entry.command,
        "subject": entry.subject,
        "body": sealed.body,
    }


def _want(connection: Connection, named: Mapping[Digest, str]) -> None:
    insert_new(connection, wanted, [{"digest": name, "node": node} for name, node in named.items()])


def _among(table: Table, digests: Iterable[str]) -> Any:  # noqa: ANN401 - SQLAlchemy's own query
    return select(table.c.digest).where(table.c.digest.in_(list(digests)))


def _is_digest(name: object) -> bool:
    # What an entry of an unknown or ill-made type carries under a document's name may be anything.
    return isinstance(name, str) and _DIGEST.fullmatch(name) is not None
