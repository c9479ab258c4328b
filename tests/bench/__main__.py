"""`make bench`: measure everything, print the table and write `docs/benchmarks.md`.

    python -m tests.bench [FIGURE …]

With figures named (the methods of `Bench` below) only those are measured and nothing is written.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import at_rest, drained, inventory, painted, proofs, recorded, refold, report, seen, stored, verified
from tests.bench.journals import LENGTHS, STEP, Journals, make_journals
from tests.bench.measuring import Figure, Tick

#: On a disk: `/tmp` may be in memory, where no commit waits for anything.
ON_DISK: Final = Path("/var/tmp")

#: Columns for the table when nobody says how many there are.
WIDE: Final = 180


class Bench:
    """One run: a temporary folder, and the journals that several figures share."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder = folder
        self._progress = progress

    @cached_property
    def journals(self) -> Journals:
        """The short and the long journal, made when first needed."""
        steps = sum(-(-length // STEP) for length in LENGTHS)
        return make_journals(self.folder, self.bar("making the journals", steps))

    def bar(self, what: str, total: int) -> Tick:
        """A bar of its own for a piece of work."""
        task = self._progress.add_task(what, total=total)
        return lambda: self._progress.advance(task)

    def seen(self) -> list[Figure]:
        """Tap → seen."""
        return seen.measure(self.bar("tap → seen", seen.ROUNDS))

    def painted(self) -> list[Figure]:
        """Tap → painted."""
        return painted.measure(self.folder, self.bar("tap → painted", painted.ROUNDS))

    def recorded(self) -> list[Figure]:
        """Valider → recorded."""
        journals = self.journals
        tick = self.bar("Valider → recorded", 2 * recorded.ROUNDS)
        return recorded.measure(self.folder, journals, tick) + recorded.measure_drawing(journals, tick)

    def exporting(self) -> list[Figure]:
        """Valider → recorded during an export."""
        return recorded.measure_during_export(self.folder, self.bar("… during an export", recorded.ROUNDS))

    def stored(self) -> list[Figure]:
        """Recorded → acknowledged."""
        journals = self.journals
        # Beside the rounds, the tables are copied in steps.
        tick = self.bar("recorded → acknowledged", stored.ROUNDS + 2 * sum(LENGTHS) // STEP)
        return stored.measure(self.folder, journals, tick)

    def inventory(self) -> list[Figure]:
        """The inventory's page."""
        journals = self.journals
        return inventory.measure(journals, self.bar("inventory page", inventory.ROUNDS))

    def refold(self) -> list[Figure]:
        """Folding the register anew."""
        journals = self.journals
        tick = self.bar("folding anew", refold.ROUNDS + len(journals.by_length))
        return refold.measure(self.folder, journals, tick)

    def drained(self) -> list[Figure]:
        """A backlog, sent and cosigned."""
        return drained.measure(self.folder, self.bar("draining a backlog", drained.STEPS))

    def verified(self) -> list[Figure]:
        """An export, verified."""
        journals = self.journals
        return verified.measure(self.folder, journals, self.bar("verifying an export", verified.STEPS))

    def proofs(self) -> list[Figure]:
        """What a longer log costs."""
        journals = self.journals
        return proofs.measure(journals, self.bar("proofs", proofs.ROUNDS))

    def at_rest(self) -> list[Figure]:
        """Memory and start."""
        journals = self.journals
        return at_rest.measure(self.folder, journals, self.bar("start and rest", 2 * at_rest.STARTS + 2))

    @property
    def figures(self) -> Mapping[str, Callable[[], list[Figure]]]:
        """Everything there is to measure, in the table's order."""
        names = (
            *("seen", "painted", "recorded", "exporting", "stored", "drained", "verified", "proofs"),
            *("inventory", "refold", "at_rest"),
        )
        return {name: getattr(self, name) for name in names}


def main(wanted: list[str]) -> None:
    """Measure, print, write."""
    logging.basicConfig(level=logging.ERROR)
    tempfile.tempdir = str(ON_DISK)
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=WIDE)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory(prefix="trousseau-bench-") as folder:
        with Progress(*columns, console=console) as progress:
            bench = Bench(Path(folder), progress)
            figures: list[Figure] = []
            for name in wanted or bench.figures:
                figures += bench.figures[name]()
                # What is known is known, should a later one fail.
                progress.console.print(report.on_terminal(figures))
        if not wanted:
            report.write(figures, bench.journals.seconds)
            console.print(f"written to {report.DOCUMENT.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main(sys.argv[1:])
