"""Switches bounce: a change counts once it has lasted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")


class Debouncer(Generic[K]):
    """Reads a switch again when it has been quiet for `settle` seconds and tells what has changed, from a thread of its own.

    The level is read, not counted from edges, so that an edge lost by a driver does no lasting harm.
    """

    def __init__(
        self,
        levels: Mapping[K, bool],
        read: Callable[[K], bool],
        changed: Callable[[K, bool], None],
        settle: float,
    ) -> None:
        """Start from these levels."""
        self._levels = dict(levels)
        self._read, self._changed, self._settle = read, changed, settle
        self._due: dict[K, float] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="debouncer", daemon=True)
        self._thread.start()

    def edge(self, switch: K) -> None:
        """A switch moved, perhaps. Called by any thread, any number of times."""
        with self._wake:
            self._due[switch] = time.monotonic() + self._settle
            self._wake.notify()

    def close(self) -> None:
        """End the thread; what has not settled yet is not told any more."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while (settled := self._next_settled()) is not None:
            for switch in settled:
                level = self._read(switch)
                if level != self._levels[switch]:
                    self._levels[switch] = level
                    self._changed(switch, level)

    def _next_settled(self) -> list[K] | None:
        """Wait for switches that have been quiet long enough; None when closed."""
        with self._wake:
            while not self._closed:
                now = time.monotonic()
                settled = [switch for switch, due in self._due.items() if due <= now]
                if settled:
                    for switch in settled:
                        del self._due[switch]
                    return settled
                self._wake.wait(min(self._due.values()) - now if self._due else None)
            return None
