"""One journal as headquarters keeps it: its row, and in memory what would cost a look at the database for every entry.

Invariants:
    * The entries table holds the contiguous prefix of a journal and nothing else: entries are stored when they follow by number and
      by `prev` and lead to the root of a head that the cabinet has signed, together with their subtrees, their fold, the documents
      that they name, and the new size.
    * The row is updated only when nobody else has written it since it was read. Otherwise the whole batch fails, and memory is
      read anew.
    * A head is cosigned only when its root is the root of these entries; another root for a size that we have is refused, for good.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import Connection, Integer, and_, bindparam, case, insert, select, update

from kiosk.domain.identifiers import Digest
from kiosk.ledger.checkpoint import Checkpoint
from kiosk.ledger.entry import NO_ENTRY, Entry, digest
from kiosk.ledger.merkle import Frontier, Subtree, frontier_at, leaf_hash, root_at
from kiosk.services.codec import documents_of
from kiosk.store.database import write_rows
from kiosk.store.journal import fold_entry
from kiosk.store.register import Fold
from kiosk.store.tables import entries, streams
from kiosk.store.tree import StoredTree, keep_subtrees

#: Entries that came before the one they follow wait in memory, this far ahead at most; what is let go comes again.
AHEAD: Final = 1_000
#: Heads that wait for the entries they cover; the oldest is let go.
WAITING: Final = 16
_DIGEST: Final = re.compile("[0-9a-f]{64}")

Key = tuple[str, str]
"""Node and stream."""

_OF_STREAM = (streams.c.node == bindparam("of_node"), streams.c.stream == bindparam("of_stream"))
_KNOWN = select(streams).where(*_OF_STREAM)
#: From another row than the one that memory believes in, the size becomes NULL, which the table does not take. So the answer need
#: not be waited for before the commit.
_UNCHANGED = and_(streams.c.size == bindparam("old_size"), streams.c.grown == bindparam("old_grown"))
_GROWN = (
    update(streams)
    .where(*_OF_STREAM)
    .values(
        size=case((_UNCHANGED, bindparam("new_size", type_=Integer))),
        head=bindparam("new_head"),
        cosigned=bindparam("new_cosigned"),
        refusal=bindparam("new_refusal"),
        evidence=bindparam("new_evidence"),
        grown=bindparam("now"),
    )
)
_KEPT = select(entries.c.sequence, entries.c.body).where(
    entries.c.node == bindparam("of_node"),
    entries.c.stream == bindparam("of_stream"),
    entries.c.sequence.in_(bindparam("sequences", expanding=True)),
)
_APPEND = insert(entries)


class StaleMemory(Exception):
    """Somebody else has written this stream; read it anew."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry and the bytes that it was read from."""

    entry: Entry
    body: bytes

    @property
    def key(self) -> Key:
        """Which journal it belongs to."""
        return self.entry.node, self.entry.stream


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head whose log signature has been verified, and the note that it came in."""

    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What headquarters says of a stream: how far it is complete, the newest head it has cosigned, and what it has refused."""

    size: int
    cosigned: bytes | None
    refusal: bytes | None


@dataclass(frozen=True, slots=True)
class Misfit:
    """An entry that cannot be placed: `altered` has other bytes than the one kept there, `broken` does not follow it."""

    sealed: Sealed
    reason: str


@dataclass(slots=True)
class Stored:
    """What a batch has done."""

    answers: dict[Key, Answer] = field(default_factory=dict)
    advanced: int = 0
    named: dict[Digest, Entry] = field(default_factory=dict)
    misfits: list[Misfit] = field(default_factory=list)
    unfolded: list[Entry] = field(default_factory=list)
    refused: list[SignedHead] = field(default_factory=list)
    unsigned: list[SignedHead] = field(default_factory=list)

    def add(self, more: Stored) -> None:
        """Count what another part of the same batch has done."""
        self.answers |= more.answers
        self.advanced += more.advanced
        self.named |= more.named
        self.misfits += more.misfits
        self.unfolded += more.unfolded
        self.refused += more.refused
        self.unsigned += more.unsigned


@dataclass(frozen=True, slots=True)
class Grown:
    """What a batch adds to a stream, in order."""

    entries: list[Sealed]
    subtrees: list[Subtree]


class Witness(Protocol):
    """How headquarters signs."""

    def cosign(self, head: bytes) -> bytes:
        """The head's note with our cosignature added."""
        ...

    def refuse(self, head: Checkpoint, seen: Checkpoint) -> bytes:
        """Our signed refusal of a head that rewrites what we have seen: `seen` is the root that we have for that size."""
        ...

    def renew(self, answer: Answer) -> Answer:
        """The answer, signed also by those of our keys that are newer than it."""
        ...


class Stream:
    """One stream's row, in memory. After a failed transaction throw it away.

    A batch goes through three calls in one transaction: `settle` reads and decides; `append` and `confirm` write without looking at
    what comes of it, so that all the writes and the commit travel together.
    """

    def __init__(self, connection: Connection, key: Key) -> None:
        row = connection.execute(_KNOWN, _names(key)).mappings().one()
        self._key = key
        self._size, self._head, self._when = row["size"], row["head"], row["grown"]
        self._cosigned, self._refusal, self._evidence = (row[name] for name in ("cosigned", "refusal", "evidence"))
        self._frontier = frontier_at(self._size, StoredTree(connection, *key))
        self._ahead: dict[int, Sealed] = {}
        self._waiting: dict[Checkpoint, SignedHead] = {}
        self._grown = Grown([], [])
        self._row = self._now()

    @property
    def answer(self) -> Answer:
        """What to tell the cabinet."""
        return Answer(self._size, self._cosigned, self._refusal)

    def settle(
        self,
        connection: Connection,
        batch: Sequence[Sealed],
        heads: Iterable[SignedHead],
        fold: Fold,
        witness: Witness,
    ) -> Stored:
        """Take in what has come: find what follows, fold it, and judge the heads that cover it."""
        done = Stored(misfits=self._sort(connection, batch))
        self._waiting |= {head.checkpoint: head for head in heads}
        roots = self._advance(done)
        self._fold(fold, done)
        self._judge(connection, roots, witness, done)
        done.advanced = len(self._grown.entries)
        done.answers[self._key] = self.answer
        return done

    def append(self, connection: Connection) -> None:
        """Write the entries that were found to follow, and the subtrees that they complete."""
        grown, self._grown = self._grown, Grown([], [])
        if grown.entries:
            write_rows(connection, _APPEND, [entry_row(sealed.entry, sealed.body) for sealed in grown.entries])
            keep_subtrees(connection, *self._key, grown.subtrees)

    def confirm(self, connection: Connection, now: int) -> None:
        """Write the row, if anything has changed; it fails when somebody else has. `now` is in microseconds since 1970."""
        row = self._now()
        if row == self._row:
            return
        old = {"old_size": self._row["new_size"], "old_grown": self._when}
        write_rows(connection, _GROWN, [_names(self._key) | old | row | {"now": now}])
        self._row, self._when = row, now

    def _now(self) -> dict[str, Any]:
        return {
            "new_size": self._size,
            "new_head": self._head,
            "new_cosigned": self._cosigned,
            "new_refusal": self._refusal,
            "new_evidence": self._evidence,
        }

    def _sort(self, connection: Connection, batch: Sequence[Sealed]) -> list[Misfit]:
        """Put aside what is ahead; tells what has other bytes than the entry kept in its place."""
        misfits, old = [], []
        for sealed in batch:
            sequence = sealed.entry.sequence
            if sequence <= self._size:
                old.append(sealed)
            elif self._ahead.setdefault(sequence, sealed).body != sealed.body:
                misfits.append(Misfit(sealed, "altered"))
        if old:
            sequences = sorted({sealed.entry.sequence for sealed in old})
            rows = connection.execute(_KEPT, _names(self._key) | {"sequences": sequences})
            kept = {row.sequence: row.body for row in rows}
            misfits += [Misfit(one, "altered") for one in old if kept[one.entry.sequence] != one.body]
        return misfits

    def _advance(self, done: Stored) -> dict[int, bytes]:
        """Move up to the last waiting head that what follows leads to; returns the roots at the sizes of the heads passed.

        Nothing is taken in unsigned: who can speak in a cabinet's name, but not sign, changes nothing here.
        """
        roots = {self._size: self._frontier.root()}
        tree, prev, stretch = self._frontier.copy(), self._head, Grown([], [])
        while (sealed := self._ahead.get(tree.size + 1)) is not None:
            if sealed.entry.prev != prev:
                if not stretch.entries:
                    done.misfits.append(Misfit(sealed, "broken"))
                # Else one of those before it may be the wrong one.
                self._drop([], sealed.entry.sequence, done)
                break
            prev = digest(sealed.body)
            stretch.entries.append(sealed)
            stretch.subtrees.extend(tree.append(leaf_hash(sealed.body)))
            heads = [head for head in self._waiting if head.size == tree.size]
            if heads and tree.root() not in {head.root for head in heads}:
                self._drop(heads, tree.size, done)
                break
            if heads:
                roots[tree.size] = tree.root()
                self._accept(tree, prev, stretch)
                stretch = Grown([], [])
        self._ahead = {number: one for number, one in self._ahead.items() if self._size < number <= self._size + AHEAD}
        return roots

    def _accept(self, tree: Frontier, head: str, stretch: Grown) -> None:
        """Take in what a head covers."""
        self._size, self._head, self._frontier = tree.size, head, tree.copy()
        self._grown.entries.extend(stretch.entries)
        self._grown.subtrees.extend(stretch.subtrees)

    def _drop(self, heads: Sequence[Checkpoint], size: int, done: Stored) -> None:
        """Let go of entries that are not those the cabinet has signed for; whichever was wrong, the right ones come again."""
        done.unsigned += [self._waiting.pop(head) for head in heads]
        self._ahead = {number: one for number, one in self._ahead.items() if number > size}

    def _fold(self, fold: Fold, done: Stored) -> None:
        for sealed in self._grown.entries:
            entry = sealed.entry
            try:
                fold_entry(fold, entry)
            except (msgspec.MsgspecError, LookupError, TypeError, ValueError, AttributeError):
                # Its place in the chain is certain, only its meaning is not: a later version, or a person, will see to it.
                done.unfolded.append(entry)
            for name in documents_of(entry.data):
                if _is_digest(name):
                    done.named.setdefault(name, entry)

    # ---- heads

    def _judge(self, connection: Connection, roots: Mapping[int, bytes], witness: Witness, done: Stored) -> None:
        """Cosign the largest head that these entries bear out; refuse each that they do not."""
        ripe = [head for head in self._waiting.values() if head.checkpoint.size <= self._size]
        for head in sorted(ripe, key=lambda one: one.checkpoint.size):
            del self._waiting[head.checkpoint]
            ours = Checkpoint(
                head.checkpoint.origin, head.checkpoint.size, self._root(connection, roots, head.checkpoint.size)
            )
            if ours != head.checkpoint:
                self._refuse(head, ours, witness)
                done.refused.append(head)
            elif self._cosigned is None or head.checkpoint.size > size_of(self._cosigned):
                self._cosigned = witness.cosign(head.note)
        for stale in list(self._waiting)[:-WAITING]:
            del self._waiting[stale]

    def _root(self, connection: Connection, roots: Mapping[int, bytes], size: int) -> bytes:
        return roots[size] if size in roots else root_at(size, StoredTree(connection, *self._key))

    def _refuse(self, head: SignedHead, ours: Checkpoint, witness: Witness) -> None:
        if self._evidence != head.note:
            self._refusal, self._evidence = witness.refuse(head.checkpoint, ours), head.note


def size_of(note: bytes) -> int:
    """The size in a note of ours, which needs no second verification."""
    return int(note.split(b"\n", 2)[1])


def write_answer(connection: Connection, key: Key, answer: Answer) -> None:
    """Write an answer that says the same under more signatures; whoever holds the row in memory has to read it anew."""
    # Changed by the least: which journal grew last stays as it was.
    new = {"cosigned": answer.cosigned, "refusal": answer.refusal, "grown": streams.c.grown + 1}
    connection.execute(update(streams).where(*_OF_STREAM).values(new), _names(key))


def new_stream(node: str, stream: str) -> dict[str, Any]:
    """The row of a stream of which nothing has come."""
    return {"node": node, "stream": stream, "size": 0, "head": NO_ENTRY, "grown": 0}


def _names(key: Key) -> dict[str, Any]:
    return {"of_node": key[0], "of_stream": key[1]}


def entry_row(entry: Entry, body: bytes) -> dict[str, Any]:
    """An entry's row."""
    return {
        "node": entry.node,
        "stream": entry.stream,
        "sequence": entry.sequence,
        "command": entry.command,
        "subject": entry.subject,
        "body": body,
    }


def _is_digest(name: object) -> bool:
    # What an entry of an unknown or ill-made type carries under a document's name may be anything.
    return isinstance(name, str) and _DIGEST.fullmatch(name) is not None
