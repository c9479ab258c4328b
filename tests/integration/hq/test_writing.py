"""Rows are written the same to both databases, however many there are at once."""

import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import select

from kiosk.store.database import Database
from kiosk.store.tables import documents, presences, streams
from kiosk.store.writing import insert_new, together, upsert

#: What people and machines may write.
TEXTS = ["", "NULL", "null", "{}", '{"a",b}', "\\", "\\x00", "'", '"', "é 🔑", "a\nb", "%(node)s", "$1", " "]


def a_row(number: int, **other: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a column takes
    text = TEXTS[number % len(TEXTS)]
    row = {"node": f"n-{number:03}", "stream": text, "online": number % 2, "version": text, "seen": text}
    return row | {"size": number if number % 3 else None, "health": text if number % 2 else None} | other


def rows_of(central: Database) -> list[dict[str, Any]]:
    with central.read() as connection:
        return [dict(row) for row in connection.execute(select(presences).order_by(presences.c.node)).mappings()]


@pytest.mark.parametrize("count", [1, 2, 7, 8, 60])
def test_every_value_comes_back_as_it_was_written(central: Database, count: int) -> None:
    rows = [a_row(number) for number in range(count)]
    with central.write() as connection:
        upsert(connection, presences, rows)
    assert rows_of(central) == rows
    changed = [row | {"version": f"{row['version']}, later", "size": 2**31 - 1} for row in rows]
    with central.write() as connection:
        upsert(connection, presences, changed)
    assert rows_of(central) == changed


@pytest.mark.parametrize("count", [2, 60])
def test_a_column_may_have_no_value_in_any_row(central: Database, count: int) -> None:
    rows = [a_row(number, size=None, health=None) for number in range(count)]
    with central.write() as connection:
        upsert(connection, presences, rows)
    assert rows_of(central) == rows


@pytest.mark.parametrize("count", [2, 7, 60])
def test_what_is_there_already_stays_as_it_is(central: Database, count: int) -> None:
    rows = [{"digest": f"{n:064x}", "salt": bytes([n]) * n, "content": bytes(range(n))} for n in range(count)]
    with central.write() as connection:
        insert_new(connection, documents, rows[: count // 2])
        insert_new(
            connection, documents, [row | {"content": b"other"} for row in rows[: count // 2]] + rows[count // 2 :]
        )
    with central.read() as connection:
        found = connection.execute(select(documents).order_by(documents.c.digest)).mappings()
        assert [dict(row) for row in found] == rows


def test_moments_longer_than_an_integer_fit_where_they_belong(central: Database) -> None:
    rows = [
        {
            "node": f"n-{n}",
            "stream": "s",
            "size": n,
            "head": "0" * 64,
            "cosigned": None if n % 2 else b"",
            "grown": n * 10**15,
        }
        for n in range(20)
    ]
    with central.deciding() as connection, together(connection):
        insert_new(connection, streams, rows)
        connection.commit()
    with central.read() as connection:
        found = connection.execute(select(streams).order_by(streams.c.size)).mappings()
        assert [{name: row[name] for name in rows[0]} for row in found] == rows


def test_a_cabinet_loads_nothing_of_postgresql() -> None:
    unwanted = "{'psycopg', 'sqlalchemy.dialects.postgresql'}"
    loaded = f"import sys, kiosk.cli, kiosk.bootstrap, web; print(sorted({unwanted} & {{*sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
