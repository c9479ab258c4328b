"""Cabinets with journals of any length, made quickly: entries straight through `seal`, in large transactions."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
from sqlalchemy import Table, make_url

from kiosk import keys
from kiosk.bootstrap import opened_store
from kiosk.clock import SystemClock
from kiosk.config import Settings
from kiosk.demo import prepare
from kiosk.domain.events import Returned, Taken
from kiosk.domain.identifiers import Digest, ItemId, PersonId, VisitId
from kiosk.domain.people import Tier
from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint
from kiosk.ledger.entry import Entry, digest, seal, unseal
from kiosk.ledger.merkle import Frontier
from kiosk.mqtt.client import BrokerAddress
from kiosk.services.codec import event_data
from kiosk.services.commands import new_command
from kiosk.services.heads import cosigned_cursor
from kiosk.services.timestamps import timestamp
from kiosk.store.database import Database
from kiosk.store.tables import HEADQUARTERS, JOURNAL, LINES
from kiosk.store.tree import grow
from tests.bench.measuring import Tick
from tests.services import LOOPBACK, free_port

#: Entries in one transaction, and between two ticks of the progress bar.
STEP: Final = 20_000
SMALL: Final = 1_000
BIG: Final = 1_000_000
LENGTHS: Final = (SMALL, 10_000, 100_000, BIG)

_INSERT_ENTRY = "INSERT INTO entries (node, stream, sequence, command, subject, body) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_SUBTREE = "INSERT INTO subtrees (node, stream, level, number, hash) VALUES (?, ?, ?, ?, ?)"
_INSERT_DOCUMENT = "INSERT INTO documents (digest, salt, content) VALUES (?, ?, ?)"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Journals:
    """The demonstration's cabinet with journals of several lengths, and how long the longest took to make."""

    by_length: Mapping[int, Settings]
    seconds: float

    @property
    def small(self) -> Settings:
        """The short one."""
        return self.by_length[SMALL]

    @property
    def big(self) -> Settings:
        """The long one."""
        return self.by_length[BIG]


def make_journals(folder: Path, tick: Tick) -> Journals:
    """Make all of them."""
    made, began = {}, 0.0
    for length in LENGTHS:
        began = time.perf_counter()
        made[length] = grown(folder / f"journal-{length}", length, tick)
    return Journals(made, time.perf_counter() - began)


def grown(folder: Path, size: int, tick: Tick) -> Settings:
    """The demonstration's cabinet, its journal grown to `size` entries.

    The register stays as it was before: keys that were taken and brought back hang where they hung.
    """
    settings = prepare(folder, free_port(), BrokerAddress(LOOPBACK, free_port()))
    connection = sqlite3.connect(settings.database, isolation_level=None)
    try:
        # Nothing is measured here, and a power cut would only cost a temporary file.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")
        _grow(connection, size, tick)
    finally:
        connection.close()
    return settings


def _grow(connection: sqlite3.Connection, size: int, tick: Tick) -> None:
    series = _Series(connection)
    while series.sequence < size:
        entries, documents = series.some(min(STEP, size - series.sequence))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT_DOCUMENT, sorted(documents))
        connection.executemany(_INSERT_ENTRY, entries)
        connection.executemany(_INSERT_SUBTREE, series.subtrees(body for *_, body in entries))
        connection.execute("COMMIT")
        tick()


class _Series:
    """Takes and returns of two keys at a time, each with a statement and a drawing of its own, cut short."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        last = "SELECT sequence, body FROM entries ORDER BY sequence DESC LIMIT 1"
        self.sequence, body = connection.execute(last).fetchone()
        self._prev, self._model = digest(body), unseal(body)
        self._tree = Frontier()
        grow(self._tree, (body for (body,) in connection.execute("SELECT body FROM entries ORDER BY sequence")))
        hanging = "SELECT id FROM items WHERE place = 'hook' AND state = 'in_service' ORDER BY id"
        self._items = [ItemId(id_) for (id_,) in connection.execute(hanging)]
        self._person = PersonId(self._model.actor)
        self._time = timestamp(SystemClock().now().time)

    def some(self, count: int) -> tuple[list[Row], list[Row]]:
        """The next rows of both tables."""
        entries: list[Row] = []
        documents: list[Row] = []
        for number in range(max(1, count // 2)):
            entries += self._act(number, documents)
        return entries, documents

    def subtrees(self, bodies: Iterable[bytes]) -> list[Row]:
        """The rows of the subtrees that these entries complete."""
        return [(self._model.node, self._model.stream, *one) for one in grow(self._tree, bodies)]

    def _act(self, number: int, documents: list[Row]) -> Iterator[Row]:
        event = Returned if number % 2 else Taken
        command, visit = new_command(), VisitId(str(uuid4()))
        statement, signature = _document(documents), _document(documents)
        for offset in (0, 1):
            item = self._items[(number // 2 * 2 + offset) % len(self._items)]
            made = event(
                item=item,
                person=self._person,
                visit=visit,
                tier=Tier.AUTHENTICATED,
                statement=statement,
                signature=signature,
                sensed=True,
            )
            yield self._row(made, command)

    def _row(self, event: Taken | Returned, command: str) -> Row:
        self.sequence += 1
        entry = Entry(
            node=self._model.node,
            stream=self._model.stream,
            sequence=self.sequence,
            type=event.type,
            subject=event.subject,
            time=self._time,
            prev=self._prev,
            monotonic=self._model.monotonic + self.sequence,
            boot=self._model.boot,
            clock_set=True,
            actor=self._person,
            command=command,
            data=event_data(event),
        )
        body = seal(entry)
        self._prev = digest(body)
        return entry.node, entry.stream, entry.sequence, command, event.subject, body


def _document(documents: list[Row]) -> Digest:
    salt, content = os.urandom(32), b"..."
    name = Digest(hashlib.sha256(salt + content).hexdigest())
    documents.append((name, salt, content))
    return name


# ---- the same at headquarters


def at_headquarters(settings: Settings, url: str, tick: Tick) -> None:
    """Fill headquarters' PostgreSQL database with everything that this cabinet has, as if it had all been acknowledged."""
    Database(url, HEADQUARTERS, gapless=False).close()
    cosigned = _cosigned(settings)
    source = sqlite3.connect(settings.database)
    try:
        with psycopg.connect(conninfo(url), autocommit=True) as target:
            with target.transaction():
                for table in (*JOURNAL, *LINES.values()):
                    _copy(source, target, table, tick)
                _know_stream(source, target, settings, cosigned)
            # Otherwise it may begin by itself in the middle of a measurement.
            target.execute("VACUUM ANALYZE")
    finally:
        source.close()


def _copy(source: sqlite3.Connection, target: psycopg.Connection, table: Table, tick: Tick) -> None:
    columns = ", ".join(column.name for column in table.columns)
    rows = source.execute(f"SELECT {columns} FROM {table.name}")
    with target.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN".encode()) as copy:
        while page := rows.fetchmany(STEP):
            for row in page:
                copy.write_row(row)
            tick()


def _know_stream(source: sqlite3.Connection, target: psycopg.Connection, settings: Settings, cosigned: bytes) -> None:
    last = "SELECT node, stream, sequence, body FROM entries ORDER BY sequence DESC LIMIT 1"
    node, stream, size, body = source.execute(last).fetchone()
    known = (node, stream, size, digest(body), cosigned)
    target.execute(
        "INSERT INTO streams (node, stream, size, head, cosigned, grown) VALUES (%s, %s, %s, %s, %s, 1)", known
    )
    (key,) = keys.secret(settings.folder, keys.LOG_KEY)
    target.execute(
        "INSERT INTO logs (node, stream, key, added) VALUES (%s, %s, %s, '')", (node, stream, str(key.verifier))
    )


def _cosigned(settings: Settings) -> bytes:
    """The journal's head as headquarters would have cosigned it; the cabinet remembers it."""
    with opened_store(settings, SystemClock()) as store:
        tree, own = store.journal.frontier(store.journal.size()), keys.secret(settings.folder, keys.LOG_KEY)
        head = checkpoint.sign(Checkpoint(own[0].verifier.name, tree.size, tree.root()), own)
        note = checkpoint.cosign(head, keys.secret(settings.folder, keys.WITNESS_KEY), int(time.time()))
        store.local.keep_cursor(cosigned_cursor(store.journal.stream), note.decode())
    return note


def conninfo(url: str) -> str:
    """SQLAlchemy's address of a database as psycopg writes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
