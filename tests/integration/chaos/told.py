"""What a cabinet has told its technicians, an act a line: it survives everything but the disk."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk.services.ports import Recorded

FILE: Final = "told.txt"


@dataclass(frozen=True, slots=True)
class Told:
    """Act number `act` was recorded as these entries (sequence number and hash); by then the cabinet took its first `believed`
    entries for safe at headquarters."""

    act: int
    believed: int
    entries: tuple[tuple[int, str], ...]


class Book:
    """Where one cabinet writes it down."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        # A death in the middle of a line: nobody was told.
        os.truncate(self._file, (folder / FILE).read_bytes().rfind(b"\n") + 1)

    def tell(self, act: int, believed: int, recorded: Sequence[Recorded]) -> None:
        """Write a line; it is durable when this returns."""
        entries = (f"{one.sequence}:{one.digest}" for one in recorded)
        os.write(self._file, f"{act} {believed} {' '.join(entries)}\n".encode())
        os.fsync(self._file)


def told_in(folder: Path) -> Iterator[Told]:
    """Everything that was told, in order."""
    path = folder / FILE
    for line in path.read_text().split("\n")[:-1] if path.exists() else ():
        act, believed, *entries = line.split()
        pairs = (entry.split(":") for entry in entries)
        yield Told(int(act), int(believed), tuple((int(sequence), digest) for sequence, digest in pairs))


def last_told(folder: Path) -> Told:
    """What was told last; act −1 before the first."""
    return max(told_in(folder), key=lambda told: told.act, default=Told(-1, 0, ()))
