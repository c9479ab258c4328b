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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from kiosk.domain.identifiers import Digest
from kiosk.ledger.entry import Entry, unseal
from kiosk.store.database import Database, insert_new, upsert
from kiosk.store.prefix import BODIES, Key, Prefix, Sealed, Stored
from kiosk.store.tables import HEADQUARTERS, documents, entries, metadata, streams, wanted

#: Salt bytes in front of a document's content.
SALT: Final = 32

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

_THESE = BODIES.where(entries.c.sequence.in_(bindparam("sequences", expanding=True)))


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
                if Prefix(connection, key, {sealed.body: sealed for sealed in group}, done).settle():
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


def _order(sealed: Sealed) -> tuple[str, str, int]:
    return *sealed.key, sealed.entry.sequence


def _insert(connection: Connection, batch: Sequence[Sealed]) -> list[str]:
    """Insert what is new; the ids of those whose place holds other bytes, or that have no place."""
    first = {sealed.entry.id: sealed for sealed in reversed(batch)}
    statement = _insert_statement(connection.dialect.name)
    # In order, so that of two entries for the same command and subject the earlier one has the place.
    rows = connection.execute(statement, [_row(sealed) for sealed in sorted(first.values(), key=_order)])
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
