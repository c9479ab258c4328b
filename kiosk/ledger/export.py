"""An export: a log as one file, for anybody to keep and check.

Each entry's bytes on a line of their own, from the first entry on (canonical JSON has no line ends in it); then an empty line;
then the signed head as it is. Entries beyond that head may follow those it covers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final

from kiosk.ledger.entry import LARGEST_ENTRY
from kiosk.ledger.errors import BadNote
from kiosk.ledger.note import LARGEST_NOTE

#: How often progress is told, in entries.
OFTEN: Final = 1_000


def write_export(entries: Iterable[bytes], checkpoint: bytes, file: BinaryIO) -> None:
    """Write an export."""
    for entry in entries:
        file.write(entry + b"\n")
    file.write(b"\n" + checkpoint)


def read_head(file: BinaryIO) -> tuple[bytes, int]:
    """The head's note, which ends the file, and where the entries end.

    Raises:
        BadNote: no note can be there.
    """
    size = file.seek(0, 2)
    begin = max(0, size - LARGEST_NOTE - 2)
    file.seek(begin)
    tail = file.read()
    if begin == 0 and tail.startswith(b"\n"):
        return tail[1:], 0
    # The first empty line of all: entries contain none, and the note's own comes later.
    at = tail.find(b"\n\n")
    if at < 0:
        raise BadNote("no head")
    return tail[at + 2 :], begin + at + 1


def read_entries(file: BinaryIO, end: int, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    """The entries, one after the other; `progress` is told how many bytes are done, and of how many.

    A line that is longer than any entry comes in pieces, which are none.
    """
    file.seek(0)
    done = count = 0
    while done < end:
        line = file.readline(LARGEST_ENTRY + 1)
        done, count = done + len(line), count + 1
        yield line.removesuffix(b"\n")
        if count % OFTEN == 0:
            progress(done, end)
    progress(end, end)
