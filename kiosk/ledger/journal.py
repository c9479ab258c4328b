"""A journal as it lies on the disk: the SQLite file of a cabinet (`cabinet.db`), or of headquarters. It is only read.

Of a cabinet's tables `entries` and `meta` are read, of headquarters' `entries` and `streams`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from kiosk.ledger.errors import Fault, Unproven
from kiosk.ledger.export import OFTEN

FIRST_BYTES: Final = b"SQLite format 3\x00"
#: Who holds the file gets this long to finish, seconds.
_PATIENCE: Final = 10.0

_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"
#: The logs in each table: node, stream, note. A later line, which has a note, replaces an earlier one.
_LOGS: Final = (
    ("entries", "SELECT DISTINCT node, stream, NULL FROM entries"),
    (
        "meta",
        "SELECT node.value, stream.value, NULL FROM meta AS node, meta AS stream "
        "WHERE node.name = 'node' AND stream.name = 'stream'",
    ),
    (
        "meta",
        "SELECT node.value, substr(head.name, 10), CAST(head.value AS BLOB) FROM meta AS node, meta AS head "
        "WHERE node.name = 'node' AND head.name LIKE 'cosigned:%'",
    ),
    ("streams", "SELECT node, stream, CAST(cosigned AS BLOB) FROM streams"),
)
_COUNT: Final = "SELECT count(*) FROM entries WHERE node = ? AND stream = ?"
#: A page at a time: a statement that stayed open would keep a cabinet that is running from recording.
_PAGE: Final = (
    "SELECT sequence, coalesce(CAST(body AS BLOB), x'') FROM entries WHERE node = ? AND stream = ? AND sequence > ? "
    "ORDER BY sequence LIMIT ?"
)
_BEFORE_ALL: Final = -(2**63)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file for reading; nothing is written, in it or beside it.

    Raises:
        OSError: it is in use, or cannot be read.
        Unproven: it is damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            yield connection
    except sqlite3.OperationalError as e:
        raise OSError(f"{path}: {e}") from e
    except sqlite3.DatabaseError as e:
        raise Unproven(Fault.MALFORMED) from e


def logs(connection: sqlite3.Connection) -> dict[tuple[str, str], bytes | None]:
    """Every (node, stream) in it, with the newest head that headquarters has signed, if there is one.

    Raises:
        Unproven: there is none; it is another program's file.
    """
    tables = {name for (name,) in connection.execute(_TABLES)}
    found = {
        (node, stream): note
        for table, query in _LOGS
        if table in tables
        for node, stream, note in connection.execute(query)
    }
    if "entries" not in tables or not found:
        raise Unproven(Fault.NOT_OURS)
    return found


def read_journal(
    connection: sqlite3.Connection, node: str, stream: str, progress: Callable[[int, int], None]
) -> Iterator[bytes]:
    """A log's entries, one after the other; `progress` is told how many are done, and of how many."""
    (total,) = connection.execute(_COUNT, (node, stream)).fetchone()
    done, last = 0, _BEFORE_ALL
    while page := connection.execute(_PAGE, (node, stream, last, OFTEN)).fetchall():
        yield from (body for _, body in page)
        done, last = done + len(page), page[-1][0]
        progress(done, max(done, total))
