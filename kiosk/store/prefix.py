"""How far a stream is complete at headquarters: its contiguous prefix, chained by `prev`, and the fold of it.

Invariant: `size` and `head` are written in the transaction that stored and folded the entries they cover, and only for entries
whose `prev` is the digest of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.sql import Executable

from kiosk.domain.identifiers import Digest
from kiosk.ledger.entry import NO_ENTRY, Entry, digest, unseal
from kiosk.services.codec import documents_of
from kiosk.store.database import insert_new
from kiosk.store.journal import fold_entry
from kiosk.store.register import Fold
from kiosk.store.tables import entries, streams

_PAGE: Final = 500
_DIGEST: Final = re.compile("[0-9a-f]{64}")

Key = tuple[str, str]
"""Node and stream."""

BODIES = select(entries.c.sequence, entries.c.body).where(
    entries.c.node == bindparam("node"), entries.c.stream == bindparam("stream")
)
_AFTER = BODIES.where(entries.c.sequence > bindparam("after")).order_by(entries.c.sequence).limit(_PAGE)
_KNOWN = select(streams.c.size, streams.c.head).where(
    streams.c.node == bindparam("node"), streams.c.stream == bindparam("stream")
)
_SIZE = _KNOWN.with_only_columns(streams.c.size).scalar_subquery()
_HEAD = _KNOWN.with_only_columns(streams.c.head).scalar_subquery()
#: What is stored beyond a stream's head and, in the same round trip, that head. Not a join: of one PostgreSQL expects a third
#: of the stream, and then reads all of it.
_BEYOND = (
    BODIES.add_columns(_SIZE.label("size"), _HEAD.label("head"))
    .where(entries.c.sequence > func.coalesce(_SIZE, 0))
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


class Prefix:
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
        rows = self._connection.execute(_BEYOND, {"node": node, "stream": stream}).all()
        # Nothing beyond it when everything that came was a duplicate.
        known = rows[0] if rows else self._connection.execute(_KNOWN, {"node": node, "stream": stream}).first()
        if known is None or known.size is None:
            row = {"node": node, "stream": stream, "size": self._size, "head": self._head}
            insert_new(self._connection, streams, [row])
        else:
            self._size, self._head = known.size, known.head
        return [(row.sequence, row.body) for row in rows]

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


def _is_digest(name: object) -> bool:
    # What an entry of an unknown or ill-made type carries under a document's name may be anything.
    return isinstance(name, str) and _DIGEST.fullmatch(name) is not None
