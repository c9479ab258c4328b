"""Go-back-N: which entries may be on the way to headquarters, and when to send them again.

Invariants:
    * acked <= sent <= acked + WINDOW.
    * `acked` only rises within one instance of headquarters; only a new instance may lower it.
"""

from __future__ import annotations

import random
from typing import Final

#: How far ahead of the acknowledgement entries are sent.
WINDOW: Final = 768
#: Seconds without progress until everything unacknowledged is sent again; doubles each time.
FIRST_PATIENCE: Final = 1.0
LAST_PATIENCE: Final = 10.0


class Window:
    """How far headquarters has got, how far we have sent, and until when to wait for it. Times are seconds of a steady clock."""

    def __init__(self, acked: int) -> None:
        self.acked = acked
        self.sent = acked
        self._patience = FIRST_PATIENCE
        self._deadline = 0.0

    @property
    def room(self) -> int:
        """How many more entries may be sent now."""
        return self.acked + WINDOW - self.sent

    @property
    def waiting(self) -> bool:
        """Whether something sent is not acknowledged yet."""
        return self.sent > self.acked

    def sending(self, now: float) -> None:
        """One more entry goes out."""
        if not self.waiting:
            self._wait(now)
        self.sent += 1

    def acknowledge(self, size: int, now: float, *, may_fall: bool) -> None:
        """Headquarters has the first `size` entries."""
        if size == self.acked or (size < self.acked and not may_fall):
            return
        self.sent = size if size < self.acked else max(self.sent, size)
        self.acked = size
        self._patience = FIRST_PATIENCE
        self._wait(now)

    def restart(self, now: float) -> None:
        """Nothing sent so far can be counted on: begin after the acknowledgement."""
        self.sent = self.acked
        self._patience = FIRST_PATIENCE
        self._wait(now)

    def overdue(self, now: float) -> bool:
        """Whether the wait for progress has been long enough."""
        return now >= self._deadline

    def go_back(self, now: float) -> None:
        """Send everything unacknowledged again, and be more patient about it."""
        self.sent = self.acked
        self._patience = min(2 * self._patience, LAST_PATIENCE)
        self._wait(now)

    def _wait(self, now: float) -> None:
        # Jitter: ten thousand cabinets that lost headquarters at the same moment must not come back at the same moment.
        self._deadline = now + self._patience * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
