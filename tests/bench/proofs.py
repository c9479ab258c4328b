"""What a longer log costs: appending an entry, making a receipt, and the receipt's length."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final
from uuid import uuid4

from kiosk.bootstrap import Store, opened_store
from kiosk.clock import SystemClock
from kiosk.domain.events import DoorLeftOpen
from kiosk.domain.identifiers import PersonId, VisitId
from kiosk.services.commands import new_command
from tests.bench.journals import Journals
from tests.bench.measuring import Figure, Samples, Side, Tick, by_turns

#: Every sixteenth act stores a subtree; a multiple of sixteen sees each kind.
ROUNDS: Final = 160
APART: Final = 1.2
#: The path of the longest log is twice that of the shortest, and no more.
GROWS: Final = 2.0


def measure(journals: Journals, tick: Tick) -> list[Figure]:
    """All lengths by turns."""
    with ExitStack() as stack:
        stores = {
            f"{length:,} entries": stack.enter_context(opened_store(settings, SystemClock()))
            for length, settings in journals.by_length.items()
        }
        appending = by_turns({name: _appending(store) for name, store in stores.items()}, ROUNDS, tick)
        proving = by_turns({name: _proving(store) for name, store in stores.items()}, ROUNDS, lambda: None)
        sizes = {
            name: Samples((float(len(_receipt(store, store.journal.size() // 3))),)) for name, store in stores.items()
        }
    return [
        *_figures("appending an entry", appending, APART, "ms"),
        *_figures("making a receipt", proving, GROWS, "ms"),
        *_figures("length of a receipt", sizes, GROWS, "kB"),
    ]


def _figures(what: str, found: dict[str, Samples], bound: float, unit: str) -> Iterator[Figure]:
    short, *_, long = found
    for name, samples in found.items():
        length = int(name.split()[0].replace(",", ""))
        yield Figure(what=f"{what}, {name}", samples=samples, unit=unit, series=what, length=length)
    yield Figure(
        what=f"{what}, long against short log",
        samples=found[long],
        reference=found[short],
        against=short,
        bound=bound,
        unit=unit,
    )


def _appending(store: Store) -> Side:
    """Records something that changes no line of the register; seconds."""

    def append() -> float:
        began = time.perf_counter()
        with store.journal.act(new_command(), "bench") as act:
            act.record(DoorLeftOpen(visit=VisitId(str(uuid4())), person=PersonId("bench")))
        return time.perf_counter() - began

    return append


def _proving(store: Store) -> Side:
    """Makes the receipt of an entry somewhere in the log; seconds."""
    sequence = 0

    def prove() -> float:
        nonlocal sequence
        # Steps of a prime length end up everywhere.
        sequence = (sequence + 7_919) % store.journal.size()
        began = time.perf_counter()
        _receipt(store, sequence + 1)
        return time.perf_counter() - began

    return prove


def _receipt(store: Store, sequence: int) -> bytes:
    return store.receipts.receipt(f"{store.journal.node}:{store.journal.stream}:{sequence}")
