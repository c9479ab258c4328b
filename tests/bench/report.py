"""The figures as a table, on a terminal and in `docs/benchmarks.md`."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.table import Table

from tests.bench import plot
from tests.bench.measuring import SCALES, Figure

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEADINGS: Final = ("what", "n", "median", "p95", "against", "its median", "its p95", "ratio", "bound", "met")

_TEXT: Final = """\
# Benchmarks

Written by `make bench`; do not edit. Bounds are on ratios within one run, so that the machine's speed cancels out; where a bound
is a time or a size, it stands in the table.

{table}

![Appending, acknowledging, and proving, against the length of the log](pictures/growth.svg)

Measured on {day}: {machine}. Making the journal of 1,000,000 entries took {seconds:.0f} s.

## How it is measured

- **By turns.** Both sides of a ratio are measured in the same run, one after the other, round after round, each round beginning
  with another side. A ratio is that of the medians. Rounds for warming up do not count. Files lie on a disk, not in memory.
- **Tap → seen.** The real nfcpy over the simulated air. From a tag's placement, two things are subtracted: the wait until the
  reader's next poll reaches the tag (at most the poll's pause), and the radio time from that request until the tag is selected.
  The rest ends when the buzzer's pin rises.
- **Tap → painted.** From the report's arrival at the desk, twice: until the animation frame that follows the change of the page,
  and until the first task behind that frame, when the page has been laid out and painted. The real demonstration, Chromium
  without a window, its processor slowed down six times by its own developer tools. The bound is on the 95th percentile.
- **Valider → recorded.** `CustodyService.sign`: the signature is drawn, entry, statement and drawing are appended and folded in
  one transaction. Against one table that gets the same bytes in one transaction, with `journal_mode=TRUNCATE` and
  `synchronous=EXTRA` on both sides.
- **Recorded → acknowledged.** From the commit until the relay counts headquarters' acknowledgement. Against the least that can
  do it: paho publishes the same bytes, a process inserts and commits them with psycopg and publishes an answer. Each line has a
  mosquitto of its own; PostgreSQL waits for the disk; one message at a time.
- **Folding anew.** `StoredJournal.refold`: the register is dropped and folded from the journal in one transaction. The time is
  divided by the number of entries; 50 µs are 20,000 entries a second.
- **Cosigned acknowledgement.** The same from the commit until the relay has verified headquarters' cosignature: the cabinet
  signs the head, headquarters verifies it over its own copy, stores, folds and cosigns. The bare line signs and folds nothing.
- **Draining a backlog.** 100,000 entries that name no documents, from the relay's start until the last is cosigned. Against a
  bare pipeline: paho publishes the same bytes as fast as it can, a process inserts what has come in batches of up to 500.
- **Verifying.** `kiosk.ledger.verify` over an export, against a loop that takes SHA-256 of each line and parses it. Memory is
  the most that a process of its own has held.
- **Proofs.** A receipt of an entry somewhere in the log; its length is that of the file.
- **1,000 and 1,000,000 entries.** The same cabinet with a journal of that length, and as many documents; at headquarters too.
  The entries are real and chained; the documents are short.
- **At rest.** `kiosk run` on a simulated cabinet. The start lasts from the process until a tap, given as soon as one is taken,
  has opened the door; the longest of all starts counts.
"""


def rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    """The table's cells."""
    return [_row(figure) for figure in figures]


def on_terminal(figures: Sequence[Figure]) -> Table:
    """The table for a terminal."""
    table = Table(*HEADINGS, box=None, pad_edge=False)
    for row in rows(figures):
        table.add_row(*row)
    return table


def write(figures: Sequence[Figure], seconds: float) -> None:
    """Write the document."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows(figures)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    day = datetime.now(UTC).date().isoformat()
    text = _TEXT.format(table=table, day=day, machine=_machine(), seconds=seconds)
    DOCUMENT.write_text(text, encoding="utf-8")
    plot.PICTURE.write_text(plot.draw(figures), encoding="utf-8")


def _row(figure: Figure) -> tuple[str, ...]:
    reference = figure.reference
    return (
        figure.what,
        str(len(figure.samples.values)),
        _value(figure.samples.median, figure.unit),
        _value(figure.samples.p95, figure.unit),
        figure.against,
        "" if reference is None else _value(reference.median, figure.unit),
        "" if reference is None else _value(reference.p95, figure.unit),
        "" if figure.ratio is None else f"{figure.ratio:.2f}×",
        _bound(figure),
        {None: "", True: "yes", False: "**no**"}[figure.met],
    )


def _bound(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    if figure.reference is not None:
        return f"≤ {figure.bound:g}×"
    return f"{figure.on} < {_value(figure.bound, figure.unit)}"


def _value(value: float, unit: str) -> str:
    return f"{value * SCALES[unit]:.3g} {unit}"


def _machine() -> str:
    cores = os.cpu_count()
    python = platform.python_version()
    return f"{cores} shared cores ({platform.machine()}), Python {python}, SQLite {sqlite3.sqlite_version}"
