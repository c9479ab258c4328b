"""What somebody with the card and an SQLite shell can do to a journal, and what the verifier says."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.ledger.entry import seal, unseal
from kiosk.ledger.errors import Fault, Unproven
from tests.attack.logs import (
    a_log,
    cabinet,
    continued,
    headquarters,
    insert_entries,
    insert_stream,
    signed,
    tampered,
    verified,
    witnessed,
)

BODIES = a_log(40)
NOTE = witnessed(BODIES[:36])


def fault(path: Path) -> tuple[Fault, int | None]:
    with pytest.raises(Unproven) as e:
        verified(path)
    return e.value.fault, e.value.entry


@pytest.fixture(params=[cabinet, headquarters], ids=["cabinet", "headquarters"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    made: Path = request.param(tmp_path / "journal.db", BODIES, NOTE)
    assert verified(made)[0].unwitnessed == 4
    return made


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'p017', 'p666') AS BLOB)", (Fault.EDITED, 17)),
        (
            "UPDATE entries SET body = (SELECT body FROM entries WHERE sequence = 3) WHERE sequence = 17",
            (Fault.INSERTED, 17),
        ),
        ("UPDATE entries SET body = x'' WHERE sequence = 17", (Fault.MALFORMED, 17)),
        ("UPDATE entries SET body = zeroblob(1000000) WHERE sequence = 17", (Fault.MALFORMED, 17)),
        ("DELETE FROM entries WHERE sequence = 17", (Fault.DELETED, 17)),
        ("DELETE FROM entries WHERE sequence = 1", (Fault.DELETED, 1)),
        ("DELETE FROM entries WHERE sequence > 17", (Fault.TRUNCATED, 18)),
        ("DELETE FROM entries", (Fault.TRUNCATED, 1)),
        ("UPDATE entries SET sequence = 100 WHERE sequence = 17", (Fault.REORDERED, 17)),
        ("UPDATE entries SET node = 'armoire-8'", (Fault.WRONG_ORIGIN, 1)),
        ("UPDATE entries SET stream = 'another'", (Fault.WRONG_ORIGIN, 1)),
        ("UPDATE entries SET stream = 'no stream'", (Fault.WRONG_ORIGIN, None)),
        (
            "INSERT INTO entries SELECT node, stream, 0, 'c', 's', body FROM entries WHERE sequence = 5",
            (Fault.REORDERED, 1),
        ),
        (
            "INSERT INTO entries SELECT node, stream, 41, 'c', 's', body FROM entries WHERE sequence = 5",
            (Fault.INSERTED, 41),
        ),
    ],
)
def test_a_changed_table_is_found(path: Path, statement: str, found: tuple[Fault, int | None]) -> None:
    assert fault(tampered(path, statement)) == found


def test_a_card_restored_from_an_old_image_under_headquarters_newer_head_is_too_short(tmp_path: Path) -> None:
    assert fault(cabinet(tmp_path / "cabinet.db", BODIES[:30], NOTE)) == (Fault.TRUNCATED, 31)


def test_a_journal_grown_again_after_an_old_image_is_convicted_by_the_witnessed_head(tmp_path: Path) -> None:
    regrown = continued(BODIES[:30], 44, actor="p666")
    assert fault(cabinet(tmp_path / "cabinet.db", regrown, NOTE)) == (Fault.WRONG_ROOT, None)


def test_without_headquarters_head_a_journal_says_that_nothing_is_witnessed(tmp_path: Path) -> None:
    for path in (
        tampered(cabinet(tmp_path / "cabinet.db", BODIES, NOTE), "DELETE FROM meta WHERE name LIKE 'cosigned:%'"),
        tampered(headquarters(tmp_path / "hq.db", BODIES, NOTE), "UPDATE streams SET cosigned = NULL"),
    ):
        (found,) = verified(path)
        assert (found.seen, found.unwitnessed) == (None, 40)


def test_a_head_that_only_the_cabinet_signed_is_not_called_witnessed(tmp_path: Path) -> None:
    (found,) = verified(cabinet(tmp_path / "cabinet.db", BODIES, signed(BODIES)))
    assert (found.size, found.seen, found.unwitnessed) == (40, None, 40)


def test_a_second_stream_that_was_smuggled_in_is_looked_at_too(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        forged = [seal(replace(unseal(BODIES[0]), node="armoire-8"))]
        insert_entries(connection, forged)
    found = verified(path)
    assert [(one.entries, one.unwitnessed) for one in found] == [(40, 4), (1, 1)]


def test_a_table_that_was_made_anew_without_its_rules_is_read_no_less_strictly(path: Path) -> None:
    tampered(
        path,
        "CREATE TABLE copied AS SELECT * FROM entries",
        "DROP TABLE entries",
        "ALTER TABLE copied RENAME TO entries",
        "UPDATE entries SET body = NULL WHERE sequence = 17",
    )
    assert fault(path) == (Fault.MALFORMED, 17)


def test_one_bad_journal_at_headquarters_is_enough(tmp_path: Path) -> None:
    path = headquarters(tmp_path / "hq.db", BODIES, NOTE)
    with closing(sqlite3.connect(path)) as connection, connection:
        insert_stream(connection, "another", [], NOTE)
    assert fault(path) == (Fault.WRONG_ORIGIN, None)


def test_a_damaged_file_is_no_journal(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * (size - 4_096))
    assert fault(path) == (Fault.MALFORMED, None)


def test_the_image_of_a_card_that_was_pulled_out_in_the_middle_of_a_write_is_left_as_it_is(tmp_path: Path) -> None:
    path, image = tampered(cabinet(tmp_path / "cabinet.db", BODIES, NOTE)), tmp_path / "image.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # A cache this small spills: half of the change is in the file, what was there before in the journal beside it.
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN")
        connection.execute("UPDATE entries SET body = zeroblob(10000)")
        shutil.copy(path, image)
        shutil.copy(f"{path}-journal", f"{image}-journal")
    before = image.read_bytes()
    with pytest.raises(OSError, match="readonly"):
        verified(image)
    assert image.read_bytes() == before


def test_a_file_that_somebody_holds_locked_is_not_called_forged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.ledger.journal._PATIENCE", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OSError, match="locked"):
            verified(path)
