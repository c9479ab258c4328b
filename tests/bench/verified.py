"""Verifying an export of a million entries, against a bare loop that hashes and parses the same lines; and its memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from kiosk import keys
from kiosk.bootstrap import reading_receipts
from kiosk.config import Settings
from kiosk.ledger.export import write_export
from kiosk.ledger.verify import Keyring, verify
from tests.bench.journals import Journals
from tests.bench.measuring import Figure, Samples, Side, Tick, by_turns

ROUNDS: Final = 3
STEPS: Final = ROUNDS + 2
#: At least half the speed of the bare loop.
BOUND: Final = 2.0
#: How far the memory for a long and for a short export may be apart.
APART: Final = 1.1
_ROOT: Final = Path(__file__).resolve().parents[2]
_UNIT: Final = 1024


def measure(folder: Path, journals: Journals, tick: Tick) -> list[Figure]:
    """Verify the long export and run the bare loop by turns, then look at the memory of a process that does it."""
    long, short = (_export(settings, folder / f"{name}.export", tick) for name, settings in _sides(journals))
    ring = Keyring.parse((journals.big.folder / keys.VERIFIER_KEYS).read_text())
    count = max(journals.by_length)
    found = by_turns({"verify": _verifying(long, ring), "bare": _bare(long)}, ROUNDS, tick, warm_up=0)
    files = {"long": (long, journals.big), "short": (short, journals.small)}
    memory = {name: Samples((_memory(file, settings),)) for name, (file, settings) in files.items()}
    return [
        Figure(
            what=f"verifying an export of {count:,} entries",
            samples=found["verify"],
            reference=found["bare"],
            against="hashing and parsing the lines",
            bound=BOUND,
            unit="s",
        ),
        Figure(
            what="memory of the verifier, long against short export",
            samples=memory["long"],
            reference=memory["short"],
            against="1,000 entries",
            bound=APART,
            unit="MB",
        ),
    ]


def _sides(journals: Journals) -> list[tuple[str, Settings]]:
    return [("long", journals.big), ("short", journals.small)]


def _export(settings: Settings, file: Path, tick: Tick) -> Path:
    with reading_receipts(settings) as receipts, file.open("wb") as out:
        export = receipts.export()
        write_export(export.entries, export.head, out)
    tick()
    return file


def _verifying(file: Path, ring: Keyring) -> Side:
    def run() -> float:
        began = time.perf_counter()
        verify(file, ring, lambda _, __: None)
        return time.perf_counter() - began

    return run


def _bare(file: Path) -> Side:
    def run() -> float:
        began = time.perf_counter()
        with file.open("rb") as lines:
            for line in lines:
                if line == b"\n":
                    break
                hashlib.sha256(line).digest()
                json.loads(line)
        return time.perf_counter() - began

    return run


def _memory(file: Path, settings: Settings) -> float:
    """The most memory that a process of its own has held, bytes."""
    arguments = ["--keys", str(settings.folder / keys.VERIFIER_KEYS), str(file)]
    # Not getrusage: it counts what the process held before it became this one.
    measured = (
        "import sys; from pathlib import Path; from kiosk.ledger.verify import main; status = main(sys.argv[1:]); "
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0]); sys.exit(status)"
    )
    run = subprocess.run([sys.executable, "-c", measured, *arguments], cwd=_ROOT, capture_output=True, check=True)
    return float(run.stdout.split()[-1]) * _UNIT
