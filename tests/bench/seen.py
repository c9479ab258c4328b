"""Tap at the reader → *seen*: the edge on the buzzer's pin, by the real nfcpy, over the simulated air.

A tap takes three times, and the bound is on the third:

1. the wait for the reader's next poll: until its request reaches the tag;
2. the radio time: from that request until the tag is selected, having answered every frame. Here frames are datagrams; with a
   PN532 they take what ISO/IEC 14443 says;
3. the rest, which is ours: nfcpy's reading of the last answer, the reader's thread, the signal, gpiozero and the pin.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Final

from kiosk.hardware.readers import NfcReader
from kiosk.hardware.signals import FrontSignals
from kiosk.hardware.simulated.air import Air
from kiosk.hardware.simulated.pins import WiredFactory, WiredPin
from kiosk.hardware.simulated.tags import Ntag213
from kiosk.services.fingerprints import Fingerprints
from kiosk.services.ports import ReaderChanged, Report
from tests.bench.measuring import Figure, Samples, Tick

ROUNDS: Final = 80
BOUND: Final = 0.020
_GREEN, _RED, _BUZZER = 17, 27, 22
#: Two polls without an answer mean that a tag has gone; a little more, and not in step with the polls.
_GONE: Final = (0.35, 0.55)
_PATIENCE: Final = 5.0


class _TimedTag(Ntag213):
    """Notes when it is first spoken to and when it has been selected."""

    asked = selected = 0.0

    def put_down(self) -> None:
        """Enter the field anew."""
        self.asked = self.selected = 0.0
        super().put_down()

    def wakes(self) -> bool:
        """A request reached it."""
        answers = super().wakes()
        if answers and not self.asked:
            self.asked = time.perf_counter()
        return answers

    def select(self) -> None:
        """It has been singled out, its last answer is about to leave."""
        super().select()
        self.selected = self.selected or time.perf_counter()


class _Front:
    """A reader with the front's signals, and when the buzzer's pin rose."""

    def __init__(self, air: Air, reports: SimpleQueue[Report]) -> None:
        self.reports = reports
        self.edges: SimpleQueue[float] = SimpleQueue()
        self.air = air

    def rose(self, pin: WiredPin) -> None:
        """Heard from the pin."""
        if pin.is_high:
            self.edges.put(time.perf_counter())

    def tap(self, tag: _TimedTag) -> tuple[float, float, float]:
        """Lay the tag down and take it away: seconds of waiting, of radio, and of ours."""
        while not self.edges.empty():
            self.edges.get()
        placed = time.perf_counter()
        self.air.field.place(tag)
        edge = self.edges.get(timeout=_PATIENCE)
        self.reports.get(timeout=_PATIENCE)
        self.air.field.remove(tag)
        time.sleep(random.uniform(*_GONE))
        return tag.asked - placed, tag.selected - tag.asked, edge - tag.selected


@contextmanager
def _front() -> Iterator[_Front]:
    air, pins = Air(), WiredFactory()
    signals = FrontSignals(_GREEN, _RED, _BUZZER, pins)
    reports: SimpleQueue[Report] = SimpleQueue()
    front = _Front(air, reports)
    pins.wired(_BUZZER).heard = front.rose
    reader = NfcReader("desk", air.path, reports.put, Fingerprints(bytes(32)).of, bytes(16), signals.seen)
    reader.start()
    try:
        _wait_until_up(reports)
        yield front
    finally:
        reader.stop()
        signals.close()
        air.close()
        pins.close()


def _wait_until_up(reports: SimpleQueue[Report]) -> None:
    try:
        came = reports.get(timeout=_PATIENCE)
    except Empty:
        came = None
    assert came == ReaderChanged("desk", True), f"the reader did not start: {came}"


def measure(tick: Tick) -> list[Figure]:
    """Tap two tags by turns."""
    tags = [_TimedTag(bytes.fromhex(uid)) for uid in ("04A1B2C3D4E5F6", "04B1B2C3D4E5F7")]
    waits: list[float] = []
    radio: list[float] = []
    ours: list[float] = []
    with _front() as front:
        for round_ in range(ROUNDS):
            parts = front.tap(tags[round_ % 2])
            for part, values in zip(parts, (waits, radio, ours), strict=True):
                values.append(part)
            tick()
    return [
        Figure(what="tap: wait for the reader's next poll (subtracted)", samples=Samples(tuple(waits))),
        Figure(what="tap: radio time, request → tag selected (subtracted)", samples=Samples(tuple(radio))),
        Figure(what="tap → *seen* (buzzer's pin rises), beyond these two", samples=Samples(tuple(ours)), bound=BOUND),
    ]
