"""Folding the register anew: what an entry costs, with a short, a longer and a long journal."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from kiosk.bootstrap import opened_store
from kiosk.clock import SystemClock
from kiosk.config import Settings, read
from kiosk.store.journal import StoredJournal
from tests.bench.journals import Journals
from tests.bench.measuring import Figure, Side, Tick, by_turns

ROUNDS: Final = 5
#: 20,000 entries a second.
LONGEST: Final = 1 / 20_000
APART: Final = 1.2


def measure(folder: Path, journals: Journals, tick: Tick) -> list[Figure]:
    """Fold all three by turns."""
    with ExitStack() as stack:
        sides = {
            f"{size:,} entries": _folding(stack.enter_context(opened_store(settings, SystemClock())).journal)
            for size, settings in _cabinets(folder, journals, tick).items()
        }
        found = by_turns(sides, ROUNDS, tick, warm_up=1)
    first, *_, last = found
    each = [
        Figure(what=f"folding anew, an entry, {name}", samples=samples, bound=LONGEST, on="every", unit="µs")
        for name, samples in found.items()
    ]
    flat = Figure(
        what="folding anew, an entry, long against short journal",
        samples=found[last],
        reference=found[first],
        against=first,
        bound=APART,
        unit="µs",
    )
    return [*each, flat]


def _cabinets(folder: Path, journals: Journals, tick: Tick) -> dict[int, Settings]:
    """A copy of the cabinet of each length, because other figures want its register as it was made."""
    made = {}
    for size, settings in journals.by_length.items():
        made[size] = read(Path(shutil.copytree(settings.folder, folder / f"refold-{size}")))
        tick()
    return made


def _folding(journal: StoredJournal) -> Side:
    """Folds it anew; seconds an entry."""

    def fold() -> float:
        began = time.perf_counter()
        count = journal.refold(lambda _, __: None)
        return (time.perf_counter() - began) / count

    return fold
