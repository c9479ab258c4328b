"""An export: entries a line each, an empty line, the signed head; read without ever holding more than a line."""

import io
from itertools import pairwise

import pytest

from kiosk.ledger.entry import LARGEST_ENTRY
from kiosk.ledger.errors import BadNote
from kiosk.ledger.export import read_entries, read_head, write_export
from kiosk.ledger.note import LARGEST_NOTE
from tests.attack.logs import a_log, export, witnessed

BODIES = a_log(12)
NOTE = witnessed(BODIES)


def read(file: bytes) -> tuple[list[bytes], bytes]:
    opened = io.BytesIO(file)
    note, end = read_head(opened)
    return list(read_entries(opened, end, lambda _done, _total: None)), note


def test_an_export_is_the_entries_then_an_empty_line_then_the_head() -> None:
    file = io.BytesIO()
    write_export(iter(BODIES), NOTE, file)
    assert file.getvalue() == b"\n".join(BODIES) + b"\n\n" + NOTE
    assert read(file.getvalue()) == (BODIES, NOTE)


def test_an_export_of_an_empty_log_is_its_head() -> None:
    assert export([], NOTE) == b"\n" + NOTE
    assert read(b"\n" + NOTE) == ([], NOTE)


def test_the_head_is_found_wherever_the_largest_note_may_begin() -> None:
    for size in (LARGEST_NOTE - 1, LARGEST_NOTE):
        note = NOTE + b"x" * (size - len(NOTE))
        assert read(export(BODIES * 20, note)) == (BODIES * 20, note)
        assert read(export([], note)) == ([], note)


def test_a_file_without_an_empty_line_has_no_head() -> None:
    for file in (b"{", b"\n".join(BODIES), (b"x" * 80 + b"\n") * 10_000):
        with pytest.raises(BadNote):
            read_head(io.BytesIO(file))


def test_a_line_that_is_longer_than_any_entry_is_not_read_into_memory() -> None:
    pieces, note = read(export([b"{" * (3 * LARGEST_ENTRY)], NOTE))
    assert note == NOTE
    assert max(map(len, pieces)) <= LARGEST_ENTRY + 1


def test_the_longest_entry_is_read_whole() -> None:
    assert read(export([b"{" * LARGEST_ENTRY], NOTE)) == ([b"{" * LARGEST_ENTRY], NOTE)


def test_progress_is_told_in_bytes_up_to_the_last() -> None:
    told: list[tuple[int, int]] = []
    file = io.BytesIO(export(BODIES * 200, NOTE))
    _, end = read_head(file)
    assert sum(1 for _ in read_entries(file, end, lambda done, total: told.append((done, total)))) == 2_400
    assert [total for _, total in told] == [end] * 3
    assert all(a < b for (a, _), (b, _) in pairwise(told))
    assert told[-1] == (end, end)
