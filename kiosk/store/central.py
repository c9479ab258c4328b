"""Headquarters' database: what cabinets sent, how far each journal is complete and signed for, which documents are missing.

Invariants:
    * Only journals whose public key was enrolled are taken in; entries, heads and size change in one transaction (`store.stream`).
    * Everything here may be done again: the same batch twice leaves the same database.
    * What is in memory may be thrown away at any moment. After a failure what it believes of the database is read anew; what
      waits for its place is kept, or one journal that fails would hold the others up.

Statements are made once and take parameters: making them anew costs more than PostgreSQL takes to run them.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError, NoResultFound

from kiosk.domain.events import StreamOpened
from kiosk.domain.identifiers import Digest
from kiosk.ledger.entry import Entry, unseal
from kiosk.ledger.note import VerifierKey
from kiosk.services.codec import event_from
from kiosk.services.timestamps import timestamp
from kiosk.store.database import Database
from kiosk.store.enrolment import close, current_keys, is_open
from kiosk.store.register import Fold, Lines
from kiosk.store.stream import Answer, Key, Sealed, SignedHead, StaleMemory, Stored, Stream, Witness, write_answer
from kiosk.store.supervision import count_alarm
from kiosk.store.tables import documents, entries, streams, wanted
from kiosk.store.writing import insert_new, together

#: Salt bytes in front of a document's content.
SALT: Final = 32


#: Journals that follow one, which their first entry has for its subject.
_FOLLOWERS: Final = select(entries.c.stream).where(
    entries.c.node == bindparam("of_node"), entries.c.sequence == 1, entries.c.subject == bindparam("former")
)

Work = tuple[list[Sealed], list[SignedHead]]
"""What has come for one stream."""


class CentralStore:
    """Writes headquarters' database. One thread uses it.

    Args:
        database: with the tables of `store.tables.HEADQUARTERS`.
        witness: how heads are signed.
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, witness: Witness, clock: Callable[[], float] = time.time) -> None:
        self._database, self._witness, self._clock = database, witness, clock
        self._streams: dict[Key, Stream] = {}
        self._lines = Lines()

    def answers(self) -> Mapping[Key, Answer]:
        """What to tell every cabinet of the journals that are let in.

        Raises:
            StorageFailed: the database does not answer.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(streams).where(is_open))
            return {(row.node, row.stream): Answer(row.size, row.cosigned, row.refusal) for row in rows}

    def answer(self, node: str, stream: str) -> Answer | None:
        """What to tell one cabinet; None when its journal is not let in."""
        query = select(streams).where(streams.c.node == node, streams.c.stream == stream, is_open)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else Answer(row.size, row.cosigned, row.refusal)

    def log_keys(self, node: str, stream: str) -> list[VerifierKey]:
        """The keys that this journal's heads may be signed with now; none when it is not let in."""
        with self._database.read() as connection:
            return current_keys(connection, (node, stream))

    def renew(self) -> None:
        """Sign every answer with all of our present keys: a cabinet may have been told to believe no former one.

        Raises:
            StorageFailed: the database does not answer.
        """
        self._streams.clear()
        self._lines.forget()
        with self._database.write() as connection:
            for row in connection.execute(select(streams)).all():
                answer = Answer(row.size, row.cosigned, row.refusal)
                if (renewed := self._witness.renew(answer)) != answer:
                    write_answer(connection, (row.node, row.stream), renewed)

    def store(self, batch: Sequence[Sealed], heads: Iterable[tuple[Key, SignedHead]] = ()) -> Stored:
        """Store entries and everything that follows from them, in one transaction; repeating it changes nothing.

        Raises:
            StorageFailed: nothing was stored.
            StaleMemory: somebody else has written one of these streams; nothing was stored, and trying again is right.
        """
        work: dict[Key, Work] = defaultdict(lambda: ([], []))
        for sealed in batch:
            work[sealed.key][0].append(sealed)
        for key, head in heads:
            work[key][1].append(head)
        done = Stored()
        try:
            with self._database.deciding() as connection:
                self._take_in(connection, work, done)
        except IntegrityError as e:
            self._take_back(work)
            raise StaleMemory from e
        except BaseException:
            self._take_back(work)
            raise
        for key in work:
            self._streams[key].keep()
        return done

    def forget(self, key: Key) -> None:
        """Let go of what waits in memory of a journal, which may be what cannot be stored; it comes again."""
        self._streams.pop(key, None)

    def lacking(self, named: Mapping[Digest, Entry]) -> list[tuple[str, Digest]]:
        """Which of the documents that a batch named are not here; the others are not wanted after all."""
        with self._database.read() as connection:
            here = set(connection.execute(_among(documents, named)).scalars())
        if here:
            with self._database.write() as connection:
                connection.execute(delete(wanted).where(wanted.c.digest.in_(here)))
        return [(entry.node, name) for name, entry in named.items() if name not in here]

    def missing(self, nodes: Sequence[str], limit: int) -> list[tuple[str, Digest]]:
        """Documents that entries of these nodes name and that have not come yet; of each node the newest, up to the limit."""
        nth = func.row_number().over(partition_by=wanted.c.node, order_by=wanted.c.sequence.desc()).label("nth")
        newest_first = select(wanted.c.node, wanted.c.digest, nth).where(wanted.c.node.in_(nodes)).subquery()
        query = select(newest_first.c.node, newest_first.c.digest).where(newest_first.c.nth <= limit)
        with self._database.read() as connection:
            return [(row.node, Digest(row.digest)) for row in connection.execute(query)]

    def keep(self, found: Mapping[Digest, bytes]) -> None:
        """Keep documents (salt ‖ content) whose digest has been verified; they are no longer wanted."""
        rows = [{"digest": name, "salt": all_[:SALT], "content": all_[SALT:]} for name, all_ in found.items()]
        with self._database.write() as connection:
            insert_new(connection, documents, rows)
            connection.execute(delete(wanted).where(wanted.c.digest.in_(list(found))))

    def _take_in(self, connection: Connection, work: Mapping[Key, Work], done: Stored) -> None:
        folds = {node: Fold(connection, node, self._lines) for node, _ in work}
        touched = {key: self._stream(connection, key) for key in sorted(work)}
        for key, stream in touched.items():
            done.add(stream.settle(connection, *work[key], folds[key[0]], self._witness))
        for entry in done.begun:
            self._succeed(connection, entry, touched, done)
        with together(connection):
            for stream in touched.values():
                stream.append(connection)
            for fold in folds.values():
                fold.flush()
            _want(connection, done.named)
            for stream in touched.values():
                stream.confirm(connection, int(self._clock() * 1_000_000))
            connection.commit()

    def _succeed(self, connection: Connection, first: Entry, touched: Mapping[Key, Stream], done: Stored) -> None:
        """A journal that follows another closes it, if it takes over all that is here of that one (ADR 0014)."""
        opened = _opened(first)
        if opened is None:
            return
        former, now = (first.node, opened.previous), timestamp(datetime.fromtimestamp(self._clock(), UTC))
        if former not in done.closed and self._takes_over(connection, first, opened, touched.get(former)):
            close(connection, former, now)
            done.closed.append(former)
            # The broker retains one answer a node: that of a closed journal must not be it.
            done.answers.pop(former, None)
        else:
            # With the entry itself: it begins once only, and whoever has to look must not be left untold by a crash.
            count_alarm(connection, first.node, "disputed", first.stream, now)
            done.disputed.append(first)

    def _takes_over(self, connection: Connection, first: Entry, opened: StreamOpened, former: Stream | None) -> bool:
        """Whether this is the first journal to follow that one, and takes over all that is here of it."""
        if connection.execute(_FOLLOWERS, {"of_node": first.node, "former": opened.previous}).first():
            return False
        try:
            if former is None:
                former = Stream((first.node, opened.previous))
                former.begin(connection)
            return former.ends_at(int(opened.size), bytes.fromhex(opened.root))
        except (NoResultFound, ValueError):
            return False

    def _take_back(self, keys: Iterable[Key]) -> None:
        """What memory believes of these may not have been committed."""
        for key in keys:
            if key in self._streams:
                self._streams[key].take_back()
        self._lines.forget()

    def _stream(self, connection: Connection, key: Key) -> Stream:
        stream = self._streams.get(key) or Stream(key)
        stream.begin(connection)
        self._streams[key] = stream
        return stream


def newest(database: Database, limit: int) -> list[Entry]:
    """The newest entries of all streams, newest first."""
    latest = select(streams.c.node, streams.c.stream).order_by(streams.c.grown.desc()).limit(limit)
    with database.read() as connection:
        keys = connection.execute(latest).all()
        found = [entry for node, stream in keys for entry in _tail(connection, node, stream, limit)]
    return sorted(found, key=lambda entry: (entry.time, entry.sequence), reverse=True)[:limit]


def _tail(connection: Connection, node: str, stream: str, limit: int) -> Iterator[Entry]:
    query = select(entries.c.body).where(entries.c.node == node, entries.c.stream == stream)
    for row in connection.execute(query.order_by(entries.c.sequence.desc()).limit(limit)):
        yield unseal(row.body)


def _opened(first: Entry) -> StreamOpened | None:
    """What a journal's first entry says of the one before it; None for a cabinet's first."""
    try:
        event = event_from(first.type, first.data)
    except msgspec.ValidationError:
        # Told already, as one that cannot be folded.
        return None
    return event if isinstance(event, StreamOpened) else None


def digest_of(content: bytes) -> Digest:
    """The digest of a document's salt ‖ content."""
    return Digest(hashlib.sha256(content).hexdigest())


def _want(connection: Connection, named: Mapping[Digest, Entry]) -> None:
    if named:
        rows = [
            {"digest": name, "node": entry.node, "stream": entry.stream, "sequence": entry.sequence}
            for name, entry in named.items()
        ]
        insert_new(connection, wanted, rows)


def _among(table: Table, digests: Iterable[str]) -> Any:  # noqa: ANN401 - SQLAlchemy's own query
    return select(table.c.digest).where(table.c.digest.in_(list(digests)))
