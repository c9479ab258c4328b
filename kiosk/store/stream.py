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
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import Connection, Integer, and_, bindparam, case, insert, select, update

from kiosk.domain.identifiers import Digest
from kiosk.ledger.checkpoint import Checkpoint
from kiosk.ledger.entry import NO_ENTRY, Entry, digest
from kiosk.ledger.merkle import Subtree, frontier_at, leaf_hash, root_at
from kiosk.services.codec import documents_of
from kiosk.services.receipts import size_of
from kiosk.store.journal import fold_entry
from kiosk.store.register import Fold
from kiosk.store.tables import entries, streams
from kiosk.store.tree import StoredTree, keep_subtrees
from kiosk.store.writing import write_rows

#: Entries that no head covers yet wait in memory, this far ahead at most; what is let go comes again.
AHEAD: Final = 1_000
#: As many with one number, for somebody may speak in a cabinet's name without being able to sign; the oldest is let go.
CANDIDATES: Final = 4
#: And as many bytes of all of them; the furthest is let go. A window of entries is half of it, and read they take 25 times as much.
LARGEST_AHEAD: Final = 1024 * 1024
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
    """What a batch has done. Of the journals that it has `begun`, those that follow another have `closed` that one, or are
    `disputed`: they do not take over what is here of it."""

    answers: dict[Key, Answer] = field(default_factory=dict)
    advanced: int = 0
    named: dict[Digest, Entry] = field(default_factory=dict)
    misfits: list[Misfit] = field(default_factory=list)
    unfolded: list[Entry] = field(default_factory=list)
    refused: list[SignedHead] = field(default_factory=list)
    unsigned: list[SignedHead] = field(default_factory=list)
    begun: list[Entry] = field(default_factory=list)
    closed: list[Key] = field(default_factory=list)
    disputed: list[Entry] = field(default_factory=list)

    def add(self, more: Stored) -> None:
        """Count what another part of the same batch has done."""
        self.answers |= more.answers
        self.advanced += more.advanced
        self.named |= more.named
        self.misfits += more.misfits
        self.unfolded += more.unfolded
        self.refused += more.refused
        self.unsigned += more.unsigned
        self.begun += more.begun
        self.closed += more.closed
        self.disputed += more.disputed


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
    """One stream's row, in memory, and what waits for its place.

    A batch goes through four calls in one transaction: `begin` and `settle` read and decide; `append` and `confirm` write without
    looking at what comes of it, so that all the writes and the commit travel together. Then `keep` or `take_back`.
    """

    def __init__(self, key: Key) -> None:
        self._key = key
        self._is_known = False
        #: By number, then by digest: which of them is the cabinet's own is for its signature to say.
        self._ahead: defaultdict[int, dict[str, Sealed]] = defaultdict(dict)
        self._waiting: dict[Checkpoint, SignedHead] = {}
        self._before: tuple[defaultdict[int, dict[str, Sealed]], dict[Checkpoint, SignedHead]] | None = None
        #: The root that entries lead to, by the digest of the last, where no head had it: it is not computed again for the next.
        self._elsewhere: dict[str, bytes] = {}

    def begin(self, connection: Connection) -> None:
        """A batch begins; the row is read, unless memory knows it.

        Raises:
            NoResultFound: there is no such journal.
        """
        if not self._is_known:
            self._read(connection)
            self._is_known = True
        copied = {number: dict(candidates) for number, candidates in self._ahead.items()}
        self._before = defaultdict(dict, copied), dict(self._waiting)

    def keep(self) -> None:
        """The batch was committed."""
        self._before = None

    def take_back(self) -> None:
        """The batch may not have been committed: believe nothing of it. What waited before it still waits."""
        self._is_known = False
        if self._before is not None:
            (self._ahead, self._waiting), self._before = self._before, None

    def _read(self, connection: Connection) -> None:
        row = connection.execute(_KNOWN, _names(self._key)).mappings().one()
        self._size, self._head, self._when = row["size"], row["head"], row["grown"]
        self._cosigned, self._refusal, self._evidence = (row[name] for name in ("cosigned", "refusal", "evidence"))
        self._frontier = frontier_at(self._size, StoredTree(connection, *self._key))
        self._grown = Grown([], [])
        self._row = self._now()

    @property
    def answer(self) -> Answer:
        """What to tell the cabinet."""
        return Answer(self._size, self._cosigned, self._refusal)

    def ends_at(self, size: int, root: bytes) -> bool:
        """Whether this is all that is here of it."""
        return (self._size, self._frontier.root()) == (size, root)

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
        done.begun = [sealed.entry for sealed in self._grown.entries[:1] if sealed.entry.sequence == 1]
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
        old = []
        for sealed in batch:
            sequence = sealed.entry.sequence
            if sequence <= self._size:
                old.append(sealed)
                continue
            candidates, name = self._ahead[sequence], digest(sealed.body)
            # What comes again is the newest again.
            candidates.pop(name, None)
            candidates[name] = sealed
            if len(candidates) > CANDIDATES:
                del candidates[next(iter(candidates))]
        if not old:
            return []
        sequences = sorted({sealed.entry.sequence for sealed in old})
        rows = connection.execute(_KEPT, _names(self._key) | {"sequences": sequences})
        kept = {row.sequence: row.body for row in rows}
        return [Misfit(one, "altered") for one in old if kept[one.entry.sequence] != one.body]

    def _advance(self, done: Stored) -> dict[int, bytes]:
        """Move up to the furthest waiting head that entries lead to; returns the roots at the sizes of the heads passed.

        Nothing is taken in unsigned: who can speak in a cabinet's name, but not sign, changes nothing here and holds nothing up.
        """
        roots = {self._size: self._frontier.root()}
        ahead = [head for head in self._waiting if head.size > self._size]
        for head in sorted(ahead, key=lambda one: one.size, reverse=True):
            tips = list(self._ahead.get(head.size, ()))
            if any(self._accept(head, tip, roots) for tip in tips):
                break
            if any(tip in self._elsewhere for tip in tips):
                # Either the head or every one of these entries is not the cabinet's word; only time can tell which.
                done.unsigned.append(self._waiting[head])
        self._tidy(done)
        return roots

    def _chain(self, number: int, name: str) -> list[Sealed]:
        """The entries that wait, from the first that follows what we have up to this one; empty while one of them is missing."""
        chain: list[Sealed] = []
        for wanted in range(number, self._size, -1):
            sealed = self._ahead.get(wanted, {}).get(name)
            if sealed is None:
                return []
            chain.append(sealed)
            name = sealed.entry.prev
        return chain[::-1] if name == self._head else []

    def _accept(self, head: Checkpoint, tip: str, roots: dict[int, bytes]) -> bool:
        """Take in the entries up to this one, if they are all here and lead to the root that was signed."""
        if self._elsewhere.get(tip, head.root) != head.root:
            return False
        chain = self._chain(head.size, tip)
        if not chain:
            return False
        tree, grown, passed = self._frontier.copy(), Grown([], []), dict[int, bytes]()
        sizes = {waiting.size for waiting in self._waiting}
        for sealed in chain:
            grown.subtrees.extend(tree.append(leaf_hash(sealed.body)))
            if tree.size in sizes:
                passed[tree.size] = tree.root()
        if passed[head.size] != head.root:
            self._elsewhere[tip] = passed[head.size]
            return False
        roots |= passed
        grown.entries.extend(chain)
        self._size, self._head, self._frontier, self._grown = tree.size, tip, tree, grown
        return True

    def _tidy(self, done: Stored) -> None:
        """Tell of what waited for a place that another has taken, or that does not follow it; let go of what is too much."""
        taken = {sealed.entry.sequence: sealed.body for sealed in self._grown.entries}
        waiting, self._ahead = self._ahead, defaultdict(dict)
        room = LARGEST_AHEAD
        for number in sorted(waiting):
            for name, sealed in waiting[number].items():
                if number in taken:
                    if sealed.body != taken[number]:
                        done.misfits.append(Misfit(sealed, "altered"))
                elif number == self._size + 1 and sealed.entry.prev != self._head:
                    done.misfits.append(Misfit(sealed, "broken"))
                elif self._size < number <= self._size + AHEAD and (room := room - len(sealed.body)) >= 0:
                    self._ahead[number][name] = sealed
        names = {name for candidates in self._ahead.values() for name in candidates}
        self._elsewhere = {name: root for name, root in self._elsewhere.items() if name in names}

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
        true = []
        for head in sorted(ripe, key=lambda one: one.checkpoint.size):
            del self._waiting[head.checkpoint]
            ours = Checkpoint(
                head.checkpoint.origin, head.checkpoint.size, self._root(connection, roots, head.checkpoint.size)
            )
            if ours == head.checkpoint:
                true.append(head)
            else:
                self._refuse(head, ours, witness)
                done.refused.append(head)
        if true and (self._cosigned is None or true[-1].checkpoint.size > size_of(self._cosigned)):
            self._cosigned = witness.cosign(true[-1].note)
        for stale in list(self._waiting)[:-WAITING]:
            del self._waiting[stale]

    def _root(self, connection: Connection, roots: Mapping[int, bytes], size: int) -> bytes:
        return roots[size] if size in roots else root_at(size, StoredTree(connection, *self._key))

    def _refuse(self, head: SignedHead, ours: Checkpoint, witness: Witness) -> None:
        if self._evidence != head.note:
            self._refusal, self._evidence = witness.refuse(head.checkpoint, ours), head.note


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
