"""Merkle trees by the definition, slow and plain, to hold against those that grow with a journal."""

from collections.abc import Sequence

from sqlalchemy import select

from kiosk.ledger.merkle import STRIDE, Subtree, leaf_hash
from kiosk.store.database import Database
from kiosk.store.tables import subtrees
from tests.attack.logs import Leaves


def subtrees_from_scratch(bodies: Sequence[bytes]) -> set[Subtree]:
    """The complete subtrees of 16, 256, 4096 … of these entries."""
    leaves = Leaves([leaf_hash(body) for body in bodies])
    return {
        Subtree(level, number, leaves.hash_of(level, number))
        for level in range(STRIDE, len(bodies).bit_length(), STRIDE)
        for number in range(len(bodies) >> level)
    }


def subtrees_of(database: Database, key: tuple[str, str]) -> set[Subtree]:
    """Those that are stored of a node's stream."""
    query = select(subtrees).where(subtrees.c.node == key[0], subtrees.c.stream == key[1])
    with database.read() as connection:
        return {Subtree(row.level, row.number, row.hash) for row in connection.execute(query)}
