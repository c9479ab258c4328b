"""Valider → durably recorded, against a bare commit of the same bytes; with a short and a long journal, and during an export."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from kiosk.bootstrap import Store, opened_store
from kiosk.clock import SystemClock
from kiosk.config import Settings
from kiosk.demo import prepare
from kiosk.mqtt.client import BrokerAddress
from kiosk.services.commands import new_command
from tests.bench.bare import BareDatabase
from tests.bench.journals import Journals
from tests.bench.measuring import Figure, Samples, Side, Tick, by_turns
from tests.bench.signer import ANOTHER, Signer
from tests.services import LOOPBACK, dying_with_us, free_port

ROUNDS: Final = 300
EXPORTED: Final = 10_000
BOUND: Final = 3.0
#: At most how far the short and the long journal may be apart.
APART: Final = 1.2


def measure(folder: Path, journals: Journals, tick: Tick) -> list[Figure]:
    """Sign at both cabinets and commit the same bytes barely, by turns."""
    with ExitStack() as stack:
        small = stack.enter_context(opened_store(journals.small, SystemClock()))
        big = stack.enter_context(opened_store(journals.big, SystemClock()))
        signer = Signer(small)
        sides: dict[str, Side] = {
            "small": signer.sign,
            "big": Signer(big).sign,
            "small, drawn": Signer(small, ANOTHER, drawn=True).sign,
            "big, drawn": Signer(big, ANOTHER, drawn=True).sign,
            "bare": _bare(signer, folder, stack),
        }
        found = by_turns(sides, ROUNDS, tick)
    bare = found["bare"]
    return [
        _figure("Valider → recorded, 1,000 entries", found["small"], bare, BOUND),
        _figure("Valider → recorded, 1,000,000 entries", found["big"], bare, BOUND),
        _apart("Valider → recorded, long against short journal", found["big"], found["small"]),
        _figure("of which: transaction, 1,000 entries", found["small, drawn"], bare, None),
        _figure("of which: transaction, 1,000,000 entries", found["big, drawn"], bare, None),
        _apart("of which: transaction, long against short journal", found["big, drawn"], found["small, drawn"]),
    ]


def measure_drawing(journals: Journals, tick: Tick) -> list[Figure]:
    """How much of it is the drawing of the signature."""
    with opened_store(journals.small, SystemClock()) as store:
        signer = Signer(store)
        found = by_turns({"draw": signer.draw}, ROUNDS, tick)
    return [Figure(what="of which: drawing the signature", samples=found["draw"])]


def measure_during_export(folder: Path, tick: Tick) -> list[Figure]:
    """The same while another process exports a large register over and over."""
    settings = prepare(folder / "exported", free_port(), BrokerAddress(LOOPBACK, free_port()))
    with opened_store(settings, SystemClock()) as store, ExitStack() as stack:
        _import_many(store)
        signer = Signer(store)
        bare = _bare(signer, folder, stack, "bare-during-export.db")
        stack.enter_context(_exporting(settings))
        found = by_turns({"sign": signer.sign, "bare": bare}, ROUNDS, tick)
    return [_figure(f"Valider → recorded, during an export of {EXPORTED:,} items", found["sign"], found["bare"], BOUND)]


def _apart(what: str, big: Samples, small: Samples) -> Figure:
    return Figure(what=what, samples=big, reference=small, against="1,000 entries", bound=APART)


def _figure(what: str, samples: Samples, bare: Samples, bound: float | None) -> Figure:
    return Figure(what=what, samples=samples, reference=bare, against="bare SQLite commit", bound=bound)


def _bare(signer: Signer, folder: Path, stack: ExitStack, name: str = "bare.db") -> Side:
    signer.sign()
    rows, database = signer.last_rows(), BareDatabase(folder / name)
    stack.callback(database.close)
    return lambda: database.commit(rows)


def _import_many(store: Store) -> None:
    head = "identifiant;client;site;type;désignation;date de réception;personne en charge"
    tail = "Banque Exemple;Agence du port;clé mécanique;Clé du local;2024-05-02;Sophie Garnier"
    lines = [head, *(f"B-{number:05};{tail}" for number in range(EXPORTED))]
    store.imports.items(new_command(), "\n".join(lines).encode(), lambda _done, _total: None)


@contextmanager
def _exporting(settings: Settings) -> Iterator[None]:
    """`kiosk register export`, begun anew whenever it has finished."""
    command = [str(Path(sys.executable).with_name("kiosk")), "--data", str(settings.folder), "register", "export"]
    over, begun = Event(), Event()

    def run() -> None:
        while not over.is_set():
            begun.set()
            subprocess.run(
                [*dying_with_us("KILL"), *command, "/dev/null"],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    thread = Thread(target=run, name="export")
    thread.start()
    try:
        begun.wait()
        yield
    finally:
        over.set()
        thread.join()
