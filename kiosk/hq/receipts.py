"""Receipts and exports from headquarters' copy, for clients: always complete, since headquarters cosigns what it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from kiosk.domain.errors import NoSuchEntry, NoSuchLog
from kiosk.ledger.checkpoint import node_and_stream
from kiosk.ledger.errors import WrongOrigin
from kiosk.ledger.merkle import inclusion_proof
from kiosk.ledger.receipt import Receipt
from kiosk.services.receipts import Export, parts, size_of
from kiosk.store.database import Database
from kiosk.store.stream import Key
from kiosk.store.tables import entries, logs, streams
from kiosk.store.tree import StoredTree

_PAGE: Final = 1_000


class CentralReceipts:
    """Implements `services.ports.Receipts` at headquarters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def receipt(self, entry: str) -> bytes:
        """The receipt of an entry, by its id, once it is cosigned."""
        node, stream, sequence = parts(entry)
        with self._database.read() as connection:
            head = _cosigned(connection, (node, stream))
            if head is None or sequence > size_of(head):
                raise NoSuchEntry(id=entry)
            (body,) = read_entries(connection, (node, stream), sequence - 1, 1)
            path = inclusion_proof(sequence - 1, size_of(head), StoredTree(connection, node, stream))
        return Receipt(body, sequence - 1, path, head).encode()

    def export(self, name: str) -> Export:
        """Every entry of a journal, given by its origin, and its newest cosigned head; given a cabinet, of its newest journal.

        Raises:
            NoSuchLog: nothing of this journal or cabinet has been cosigned.
        """
        with self._database.read() as connection:
            key = _key(connection, name)
            head = key and _cosigned(connection, key)
        if not (key and head):
            raise NoSuchLog(name=name)
        return Export(self._entries(key), size_of(head), head)

    def _entries(self, key: Key) -> Iterator[bytes]:
        done = 0
        while page := self._page(key, done):
            yield from page
            done += len(page)

    def _page(self, key: Key, after: int) -> list[bytes]:
        with self._database.read() as connection:
            return read_entries(connection, key, after, _PAGE)


def cosigned_journals(connection: Connection, node: str) -> Sequence[Row[Any]]:
    """The rows of a cabinet's cosigned journals, in the order in which they were let in: nothing that comes in later changes it."""
    added = func.min(logs.c.added).label("added")
    let_in = select(logs.c.stream, added).where(logs.c.node == node).group_by(logs.c.stream).subquery()
    query = (
        select(streams)
        .join(let_in, let_in.c.stream == streams.c.stream)
        .where(streams.c.node == node, streams.c.cosigned.is_not(None))
        .order_by(let_in.c.added, streams.c.grown)
    )
    return connection.execute(query).all()


def _key(connection: Connection, name: str) -> Key | None:
    try:
        return node_and_stream(name)
    except WrongOrigin:
        journals = cosigned_journals(connection, name)
        return (name, journals[-1].stream) if journals else None


def _cosigned(connection: Connection, key: Key) -> bytes | None:
    query = select(streams.c.cosigned).where(streams.c.node == key[0], streams.c.stream == key[1])
    return connection.execute(query).scalar_one_or_none()


def read_entries(connection: Connection, key: Key, after: int, limit: int) -> list[bytes]:
    """The bytes of the entries that follow sequence number `after`, in order."""
    query = (
        select(entries.c.body)
        .where(entries.c.node == key[0], entries.c.stream == key[1], entries.c.sequence > after)
        .order_by(entries.c.sequence)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())
