"""Engines, pragmas, triggers, and the one-writer lock.

SQLite runs with `journal_mode=TRUNCATE` and `synchronous=EXTRA`: the one mode of those measured that lost no acknowledged commit
when the power was cut on an SD card (ADR 0003).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast
from urllib.parse import quote

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from sqlalchemy import (
    ARRAY,
    URL,
    ClauseElement,
    Connection,
    Dialect,
    Engine,
    Insert,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.sql import Executable

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
#: From so many rows on PostgreSQL gets one statement with a list for each column, instead of one for each row.
_MANY: Final = 8
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
def together(connection: Connection) -> Iterator[None]:
    """Send what the block writes, and its commit, together: PostgreSQL answers all of it in one round trip. Nothing can be read.

    Raises:
        DBAPIError: one of them failed.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    try:
        with driver.pipeline():
            yield
    except psycopg.Error as e:
        raise _told(connection, e) from e
    finally:
        _recover(connection, driver)


def write_rows(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run an INSERT or UPDATE for each row, its parameters by name, of the types that the driver takes.

    SQLAlchemy makes the text, once; the driver gets it as it is. Going through SQLAlchemy each time costs more than the database.

    Raises:
        DBAPIError: a row was not taken.
    """
    columns = tuple(rows[0]) if isinstance(statement, Insert) else None
    driver = connection.connection.cursor()
    try:
        if len(rows) == 1:
            driver.execute(_text(connection.dialect, statement, columns), rows[0])
        elif len(rows) < _MANY or connection.dialect.name == "sqlite" or columns is None:
            driver.executemany(_text(connection.dialect, statement, columns), rows)
        else:
            driver.execute(_text_of_many(connection.dialect, statement, columns), _turned(columns, rows))
    except connection.dialect.loaded_dbapi.Error as e:
        raise _told(connection, e) from e
    finally:
        driver.close()


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace the row of the same primary key."""
    write_rows(connection, _upsert(connection.dialect.name, table), rows)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, passing over those whose primary key is there already."""
    write_rows(connection, _insert_new(connection.dialect.name, table), rows)


def _recover(connection: Connection, driver: psycopg.Connection[Any]) -> None:
    """Give nothing back to the pool that the next transaction could not use."""
    if driver.broken or driver.info.pipeline_status is not PipelineStatus.OFF:
        # The server ended in the middle. What it said of that came before the end itself, and SQLAlchemy took it for a mere error.
        connection.invalidate()
    elif driver.info.transaction_status is TransactionStatus.INERROR:
        # SQLAlchemy takes a transaction for ended whose commit was sent, and would hand the connection on as it is.
        driver.rollback()


def _told(connection: Connection, error: Any) -> Any:  # noqa: ANN401 - each driver has its own root
    """A driver's error as SQLAlchemy would have told it, had it been asked."""
    dialect = connection.dialect
    lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
    if lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        None,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )


# Made once for each table: making a statement anew costs more than SQLite takes to run it.


@cache
def _text(dialect: Dialect, statement: Executable, columns: tuple[str, ...] | None) -> str:
    return str(cast(ClauseElement, statement).compile(dialect=dialect, column_keys=columns))


@cache
def _text_of_many(dialect: Dialect, statement: Insert, columns: tuple[str, ...]) -> str:
    lists = [func.unnest(bindparam(name, type_=ARRAY(statement.table.c[name].type))) for name in columns]
    # psycopg writes lists in PostgreSQL's binary form (`b`) five times as fast as in text.
    return _text(dialect, statement.from_select(columns, select(*lists)), columns).replace(")s::", ")b::")


def _turned(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in columns}


@cache
def _upsert(dialect: str, table: Table) -> Executable:
    insert = _insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    rest = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    return insert.on_conflict_do_update(index_elements=keys, set_=rest)


@cache
def _insert_new(dialect: str, table: Table) -> Executable:
    keys = [column.name for column in table.primary_key]
    return _insert(dialect, table).on_conflict_do_nothing(index_elements=keys)


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


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
