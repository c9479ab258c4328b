"""The other side of the ratios: the least that the same bytes cost, without any of our code."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path


class BareDatabase:
    """SQLite with the cabinet's pragmas and one table of bytes, in the same file system."""

    def __init__(self, path: Path) -> None:
        # Autocommit, so that the two statements below are the whole transaction.
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = TRUNCATE", "synchronous = EXTRA"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT")

    def commit(self, rows: Sequence[bytes]) -> float:
        """Make these durable; tells how long it took."""
        began = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO kept (bytes) VALUES (?)", [(row,) for row in rows])
        self._connection.execute("COMMIT")
        return time.perf_counter() - began

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
