"""A thread that serves a device which may go away, and comes back to it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Keeper:
    """Runs `serve` until `stop`; each time it fails, tells `lost` and waits, longer and longer, before serving again.

    `beat` is the monotonic time of the last progress, for the watchdog.
    """

    def __init__(
        self,
        name: str,
        serve: Callable[[], None],
        lost: Callable[[Exception], None],
        first_pause: float,
        longest_pause: float,
    ) -> None:
        """Name the thread; it starts with `start`. Pauses are in seconds."""
        self.beat = time.monotonic()
        self._serve, self._lost = serve, lost
        self._first_pause, self._longest_pause = first_pause, longest_pause
        self._pause = first_pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        if self._thread.is_alive():
            # A USB write has no time limit in nfcpy; the thread is a daemon, so that it cannot hold up the end of the process.
            self._thread.join(timeout=10)

    @property
    def stopping(self) -> bool:
        """Whether `serve` should return."""
        return self._stopping.is_set()

    def well(self) -> None:
        """The device works: a later failure starts with the shortest pause again."""
        self._pause = self._first_pause

    def rest(self, seconds: float) -> None:
        """Wait, unless stopping, in short steps: a device that is away is no reason for the watchdog to bite."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopping.wait(min(left, 1.0)):
            self.beat = time.monotonic()
        self.beat = time.monotonic()

    def _run(self) -> None:
        while not self.stopping:
            try:
                self._serve()
            except Exception as lost:  # drivers leak TypeError, AttributeError and more when a device is pulled
                self._tell(lost)
                self.rest(self._pause)
                self._pause = min(self._pause * 2, self._longest_pause)

    def _tell(self, lost: Exception) -> None:
        try:
            self._lost(lost)
        except Exception:
            log.exception("%s could not deal with %s", self._thread.name, type(lost).__name__)
