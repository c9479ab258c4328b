"""Rows straight to the driver.

psycopg is loaded only where PostgreSQL is used: a cabinet, which has SQLite, spares its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import ARRAY, ClauseElement, Connection, Dialect, Insert, Table, bindparam, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.dialects import postgresql

#: From so many rows on PostgreSQL gets one statement with a list for each column, instead of one for each row.
_MANY: Final = 8


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Send what the block writes, and its commit, together: PostgreSQL answers all of it in one round trip. Nothing can be read.

    Raises:
        DBAPIError: one of them failed.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as e:
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
    if driver.broken or driver.info.pipeline_status.name != "OFF":
        # The server ended in the middle. What it said of that came before the end itself, and SQLAlchemy took it for a mere error.
        connection.invalidate()
    elif driver.info.transaction_status.name == "INERROR":
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
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
