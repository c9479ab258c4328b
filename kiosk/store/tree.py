"""The Merkle tree of a stream, as it is stored: its entries, and the hash of each complete subtree of 16, 256, 4096 … of them.

What lies between is computed when it is asked for: at most sixteen hashes for each stored level.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select

from kiosk.domain.errors import StorageFailed
from kiosk.ledger.merkle import STRIDE, Frontier, Subtree, leaf_hash, node_hash
from kiosk.store.tables import entries, subtrees
from kiosk.store.writing import write_rows

#: The children that a stored subtree has among the stored ones below it, and so what is read at once.
_BLOCK: Final = 1 << STRIDE
_LEAVES = select(entries.c.sequence, entries.c.body).where(
    entries.c.node == bindparam("node"),
    entries.c.stream == bindparam("stream"),
    entries.c.sequence > bindparam("first"),
    entries.c.sequence <= bindparam("last"),
)
_SUBTREES = select(subtrees.c.number, subtrees.c.hash).where(
    subtrees.c.node == bindparam("node"),
    subtrees.c.stream == bindparam("stream"),
    subtrees.c.level == bindparam("level"),
    subtrees.c.number >= bindparam("first"),
    subtrees.c.number < bindparam("last"),
)
_KEEP = insert(subtrees)


class StoredTree:
    """Implements `kiosk.ledger.merkle.Subtrees` within a transaction."""

    def __init__(self, connection: Connection, node: str, stream: str) -> None:
        self._connection = connection
        self._key = {"node": node, "stream": stream}
        self._read: dict[tuple[int, int], bytes] = {}

    def hash_of(self, level: int, number: int) -> bytes:
        """The hash of the complete subtree of 2**level entries with this number.

        Raises:
            StorageFailed: it is not there: the stream does not reach that far, or the database is damaged.
        """
        if level % STRIDE == 0:
            if (level, number) not in self._read:
                self._fetch(level, number // _BLOCK * _BLOCK)
            try:
                return self._read[level, number]
            except KeyError as e:
                raise StorageFailed(reason=f"no hash of subtree {number} at level {level}") from e
        return node_hash(self.hash_of(level - 1, 2 * number), self.hash_of(level - 1, 2 * number + 1))

    def _fetch(self, level: int, first: int) -> None:
        block = self._key | {"first": first, "last": first + _BLOCK}
        if level == 0:
            for row in self._connection.execute(_LEAVES, block):
                self._read[0, row.sequence - 1] = leaf_hash(row.body)
        else:
            for row in self._connection.execute(_SUBTREES, block | {"level": level}):
                self._read[level, row.number] = row.hash


def grow(frontier: Frontier, bodies: Iterable[bytes]) -> list[Subtree]:
    """Append entries to a tree's edge; the subtrees to store."""
    return [subtree for body in bodies for subtree in frontier.append(leaf_hash(body))]


def keep_subtrees(connection: Connection, node: str, stream: str, grown: Sequence[Subtree]) -> None:
    """Store what `grow` returned."""
    if grown:
        rows = [
            {"node": node, "stream": stream, "level": one.level, "number": one.number, "hash": one.hash}
            for one in grown
        ]
        write_rows(connection, _KEEP, rows)
