"""Receipts and exports from the cabinet's own journal: given at once, and complete as soon as headquarters has cosigned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from kiosk.domain.errors import NoSuchEntry
from kiosk.ledger.checkpoint import Checkpoint
from kiosk.ledger.note import Note
from kiosk.ledger.receipt import Receipt
from kiosk.services.heads import Heads, cosigned_cursor
from kiosk.services.ports import Cursors, Outbox

_PAGE: Final = 1_000
#: 18 digits are below 2^63, which every database can hold.
_ID: Final = re.compile(r"([^:]+):([^:]+):([1-9][0-9]{0,17})")


class Ledger(Outbox, Protocol):
    """The journal as its proofs need it."""

    def inclusion(self, sequence: int, size: int) -> list[bytes]:
        """The path from an entry to the root over the first `size` entries."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """What an export is written from: the entries, how many they were when it began, and the signed head."""

    entries: Iterator[bytes]
    size: int
    head: bytes


class JournalReceipts:
    """Implements `services.ports.Receipts` at a cabinet.

    Args:
        ledger: the journal.
        cursors: where the newest cosigned head is remembered.
        heads: signs for what headquarters has not seen yet.
    """

    def __init__(self, ledger: Ledger, cursors: Cursors, heads: Heads) -> None:
        self._ledger, self._cursors, self._heads = ledger, cursors, heads

    def id_of(self, entry: str) -> str:
        """An entry's id; at its own cabinet the number is enough."""
        return entry if ":" in entry else f"{self._ledger.node}:{self._ledger.stream}:{entry}"

    def receipt(self, entry: str) -> bytes:
        """The receipt of an entry, by its id."""
        node, stream, sequence = parts(entry)
        bodies = (
            self._ledger.read(sequence - 1, 1) if (node, stream) == (self._ledger.node, self._ledger.stream) else []
        )
        if not bodies:
            raise NoSuchEntry(id=entry)
        head = self._cosigned()
        if head is None or sequence > size_of(head):
            head = self._own()
        return Receipt(bodies[0], sequence - 1, self._ledger.inclusion(sequence, size_of(head)), head).encode()

    def export(self) -> Export:
        """Every entry, and the newest head that headquarters has cosigned; our own where it has none yet."""
        return Export(self._entries(), self._ledger.size(), self._cosigned() or self._own())

    def _entries(self) -> Iterator[bytes]:
        # Page by page: a reader delays every commit for as long as it reads.
        done = 0
        while page := self._ledger.read(done, _PAGE):
            yield from page
            done += len(page)

    def _cosigned(self) -> bytes | None:
        note = self._cursors.cursor(cosigned_cursor(self._ledger.stream))
        return None if note is None else note.encode()

    def _own(self) -> bytes:
        return self._heads.sign(self._ledger.frontier(self._ledger.size()))


def parts(entry: str) -> tuple[str, str, int]:
    """Node, stream and sequence number of an entry's id.

    Raises:
        NoSuchEntry: it is no id.
    """
    found = _ID.fullmatch(entry)
    if found is None:
        raise NoSuchEntry(id=entry)
    return found[1], found[2], int(found[3])


def size_of(note: bytes) -> int:
    """How many entries a head covers."""
    return Checkpoint.parse(Note.parse(note).text).size
