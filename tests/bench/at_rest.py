"""The service by itself: memory after ten idle seconds, and how soon after its start a tap opens the door."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Final

from kiosk import control
from kiosk.config import Settings
from kiosk.domain.errors import NotRunning
from tests.bench.journals import Journals
from tests.bench.measuring import Figure, Samples, Tick
from tests.services import Mosquitto, Service, dying_with_us

STARTS: Final = 7
IDLE: Final = 10.0
MOST_MEMORY: Final = 100_000_000
LONGEST_START: Final = 3.0
_BADGE: Final = "nadia"
_GLANCE: Final = 0.02
_PATIENCE: Final = 60.0


def measure(folder: Path, journals: Journals, tick: Tick) -> list[Figure]:
    """Start both cabinets by turns."""
    small, big = _Kiosk(folder, journals.small), _Kiosk(folder, journals.big)
    starts: dict[_Kiosk, list[float]] = {small: [], big: []}
    for _ in range(STARTS):
        for kiosk, taken in starts.items():
            taken.append(kiosk.start_to_door())
            tick()
    memory = {kiosk: kiosk.memory(tick) for kiosk in starts}
    return [
        figure
        for kiosk, size in ((small, "1,000"), (big, "1,000,000"))
        for figure in (
            Figure(
                what=f"start → first tap opens the door, {size} entries",
                samples=Samples(tuple(starts[kiosk])),
                bound=LONGEST_START,
                on="every",
                unit="s",
            ),
            Figure(
                what=f"memory after {IDLE:.0f} idle seconds, {size} entries",
                samples=Samples((memory[kiosk],)),
                bound=MOST_MEMORY,
                on="every",
                unit="MB",
            ),
        )
    ]


class _Kiosk(Service):
    """`kiosk run` on a simulated cabinet, with a broker."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__(f"kiosk-{settings.folder.name}", folder, settings.screen.port)
        self._settings = settings

    def command(self) -> list[str]:
        """The command as its unit runs it."""
        kiosk = Path(sys.executable).with_name("kiosk")
        return [*dying_with_us("KILL"), str(kiosk), "--data", str(self._settings.folder), "run"]

    def is_ready(self) -> bool:
        """Ready is when a tap opens the door; nothing here waits for less."""
        return True

    def start_to_door(self) -> float:
        """Start it, tap as soon as it takes a tap, and wait for the door: seconds."""
        with self._running() as began:
            hand = Thread(target=self._tap, name="hand")
            hand.start()
            try:
                return self._door_opened() - began
            finally:
                hand.join()

    def memory(self, tick: Tick) -> float:
        """What it keeps in memory at rest, after a visit: bytes."""
        with self._running():
            self._tap()
            control.call(self._settings.control, "simulate_close")
            time.sleep(IDLE)
            tick()
            return float(_resident(self.pid))

    @contextmanager
    def _running(self) -> Iterator[float]:
        broker = Mosquitto(self.folder, port=self._settings.broker.port).start()
        try:
            began = time.monotonic()
            self.start()
            yield began
        finally:
            self.stop()
            broker.stop()

    def _tap(self) -> None:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                control.call(self._settings.control, "simulate_tap", name=_BADGE)
            except NotRunning:
                time.sleep(_GLANCE)
            else:
                return

    def _door_opened(self) -> float:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                if control.call(self._settings.control, "simulate_look")["cabinet"]["door_open"]:
                    return time.monotonic()
            except NotRunning:
                pass
            time.sleep(_GLANCE)
        raise AssertionError(f"the door did not open; the service says:\n{self.log}")


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kilobytes) * 1024
