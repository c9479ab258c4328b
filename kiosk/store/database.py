"""Engines, pragmas, triggers, and the one-writer lock.

SQLite runs with `journal_mode=TRUNCATE` and `synchronous=EXTRA`: the one mode of those measured that lost no acknowledged commit
when the power was cut on an SD card (ADR 0003).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from kiosk.domain.errors import ForeignDatabase, NotRightful, StorageBusy, StorageFailed, WriterBusy
from kiosk.store.tables import APPLICATION_ID, USER_VERSION, metadata

BUSY_MS = 10_000
#: SQLite's names for « somebody else has it »; the transaction was rolled back whole.
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")

_APPEND_ONLY = (
    "CREATE TRIGGER IF NOT EXISTS entries_never_change BEFORE UPDATE ON entries "
    "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
    "CREATE TRIGGER IF NOT EXISTS entries_never_go BEFORE DELETE ON entries "
    "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END",
)
#: Also stops REPLACE, which would not fire the trigger on DELETE.
_NO_GAPS = (
    "CREATE TRIGGER IF NOT EXISTS entries_have_no_gaps BEFORE INSERT ON entries "
    "WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM entries "
    "WHERE node = NEW.node AND stream = NEW.stream) "
    "BEGIN SELECT RAISE(ABORT, 'the next sequence number is the only one allowed'); END",
)


#: Any number, the same for every headquarters: PostgreSQL's advisory locks are numbers, and each database has its own.
_TRY_LOCK = text(f"SELECT pg_try_advisory_lock({APPLICATION_ID})")
_LOCK_TABLES = text(f"SELECT pg_advisory_xact_lock({APPLICATION_ID}, 0)")
_ALIVE = text("SELECT 1")
#: Whoever serves makes sure so often that it still may, seconds.
LOOK_AGAIN: Final = 1.0
#: A holder whose machine has died says nothing; the server finds out within some ten seconds and gives its lock to a standby.
_NOTICED_SOON = (
    "tcp_keepalives_idle = 5",
    "tcp_keepalives_interval = 2",
    "tcp_keepalives_count = 3",
    "tcp_user_timeout = 10000",
)
#: The other way round: a server that falls silent must not keep the one that serves waiting for the quarter of an hour that TCP
#: allows it, while a standby has long taken over.
_GIVEN_UP_SOON = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Database:
    """A database of ours, opened or made.

    Args:
        where: an SQLite file, or an SQLAlchemy URL, `sqlite:///…` or `postgresql+psycopg://…`.
        tables: the tables that have to be there.
        gapless: whether entries may only come in order, as in a cabinet (headquarters stores what arrives).
        read_only: whether the file may not be written, as beside a running service; a file only.

    Raises:
        ForeignDatabase: the SQLite file is not ours, or is of a later version.
    """

    def __init__(self, where: str | Path, tables: Sequence[Table], *, gapless: bool, read_only: bool = False) -> None:
        #: Writers of this process wait for each other here, for as long as it takes; SQLite's own patience would run out
        #: while the register is folded anew.
        self._turn = Lock()
        self.engine = _engine(_file(where, read_only=read_only) if isinstance(where, Path) else make_url(where))
        try:
            with self.write() as connection:
                if not self.is_sqlite:
                    # Two that find it empty would both make the tables.
                    connection.execute(_LOCK_TABLES)
                self._claim(connection)
                metadata.create_all(connection, tables=tables)
                if self.is_sqlite:
                    for statement in (*_APPEND_ONLY, *(_NO_GAPS if gapless else ())):
                        connection.execute(text(statement))
        except BaseException:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite (else PostgreSQL)."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: committed when left normally, rolled back on an exception.

        Raises:
            StorageFailed: the disk or the server did not take it.
        """
        with self._turn, _storage_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def deciding(self) -> Iterator[Connection]:
        """A transaction that its user commits, as late as with the last of its writes (`together`); else it is rolled back.

        Raises:
            StorageFailed: the disk or the server did not take it.
        """
        with self._turn, _storage_errors(), self.engine.connect() as connection:
            connection.begin()
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Keep it short: on SQLite a reader delays every commit."""
        with _storage_errors(), self.engine.connect().execution_options(reads=True) as connection:
            yield connection

    @contextmanager
    def reign(self) -> Iterator[Callable[[bool], None]]:
        """Be the only one who serves from this database; what is yielded makes sure that it is still so, once a second or at once.

        A lock of PostgreSQL's, held by a connection that does nothing else: the server gives it back the moment that its holder
        dies. SQLite's file has one lock beside it, held by its one process.

        Raises:
            NotRightful: somebody else serves, or now has the lock.
            StorageFailed: the database does not answer.
        """
        if self.is_sqlite:
            path = Path(str(self.engine.url.database))
            try:
                with one_writer(path.with_name(f"{path.name}.lock")):
                    yield lambda _: None
            except WriterBusy as e:
                raise NotRightful from e
            return
        with _storage_errors(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Closed in the end instead of going back to the pool, which would keep the lock.
            connection.detach()
            for setting in _NOTICED_SOON:
                connection.execute(text(f"SET {setting}"))
            if not connection.execute(_TRY_LOCK).scalar_one():
                raise NotRightful
            yield _Watch(connection).look

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _claim(self, connection: Connection) -> None:
        if not self.is_sqlite:
            return
        found = connection.execute(text("PRAGMA application_id")).scalar_one()
        version = connection.execute(text("PRAGMA user_version")).scalar_one()
        fresh = connection.execute(text("SELECT count(*) FROM sqlite_schema")).scalar_one() == 0
        if fresh:
            connection.execute(text(f"PRAGMA application_id = {APPLICATION_ID}"))
            connection.execute(text(f"PRAGMA user_version = {USER_VERSION}"))
        elif found != APPLICATION_ID or version > USER_VERSION:
            raise ForeignDatabase(path=connection.engine.url.database, version=version)


def rollback_file(path: Path) -> Path:
    """The file beside a database by which SQLite undoes what a power cut left half done."""
    return path.with_name(f"{path.name}-journal")


def _file(path: Path, *, read_only: bool) -> URL:
    """A file's URL, whatever characters its folders have in their names."""
    if read_only:
        return URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    return URL.create("sqlite", database=str(path))


def _engine(url: URL) -> Engine:
    # Parameters are hidden from errors, and so from logs: they hold PINs' hashes and what people signed.
    if url.get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True, connect_args=_GIVEN_UP_SOON)
    engine = create_engine(
        url,
        hide_parameters=True,
        # As psycopg takes them, so that both take the same rows.
        paramstyle="named",
        connect_args={"isolation_level": None, "timeout": BUSY_MS / 1000},
    )
    event.listen(engine, "connect", _pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _pragmas(connection: sqlite3.Connection, _: object) -> None:
    for pragma in ("journal_mode = TRUNCATE", "synchronous = EXTRA", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A writer takes its lock at once: the head that it reads is the head that it appends to.
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class _Watch:
    """Makes sure that the connection which holds the lock is still there."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._looked = connection, time.monotonic()

    def look(self, at_once: bool) -> None:
        """Look, unless it can wait and was done just now."""
        if not at_once and time.monotonic() - self._looked < LOOK_AGAIN:
            return
        with _storage_errors():
            self._connection.execute(_ALIVE)
        self._looked = time.monotonic()


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as e:
        reason = getattr(e.orig, "sqlite_errorname", type(e.orig).__name__)
        raise (StorageBusy if reason.startswith(_BUSY) else StorageFailed)(reason=reason) from e


@contextmanager
def one_writer(lock: Path) -> Iterator[None]:
    """Hold the right to write in a data folder; the kernel gives it back even after `kill -9`.

    Raises:
        WriterBusy: another process holds it.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise WriterBusy(folder=str(lock.parent)) from e
        yield
    finally:
        os.close(handle)
