"""How long the screen waits for a person, and how long a notice stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiosk.domain.errors import TrousseauError
from kiosk.services.front import Notice, Step, Tone
from kiosk.services.ports import Clock

SECOND: Final = 1_000_000_000

#: How long each step waits for the person, seconds; a step that is absent waits for ever.
PATIENCE: Final[Mapping[Step, int]] = {
    Step.PIN: 30,
    Step.OPEN: 30,
    Step.SIGNING: 60,
    Step.DONE: 4,
    Step.INVENTORY: 60,
}
#: Steps that ask « Toujours là ? » before they give up, and for how long, seconds.
ASKING: Final = frozenset({Step.OPEN, Step.SIGNING, Step.INVENTORY})
ASKING_FOR: Final = 20
#: How long a receipt that was touched stays, seconds.
RECEIPT_FOR: Final = 30
NOTICE_FOR: Final = 6


class Patience:
    """The desk's two timers, on the monotonic clock, so that a clock set wrong keeps nobody waiting."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deadline: int | None = None
        self._notice_until = 0
        self._notices = 0
        self.asking = False
        self.notice: Notice | None = None

    @property
    def next_tick(self) -> int | None:
        """When something is due, in nanoseconds of the monotonic clock."""
        waits = [self._deadline, self._notice_until if self.notice else None]
        return min((at for at in waits if at is not None), default=None)

    def begin(self, step: Step) -> None:
        """Wait anew, as long as the step allows."""
        self.asking = False
        seconds = PATIENCE.get(step)
        self._deadline = None if seconds is None else self._now() + seconds * SECOND

    def keep_receipt(self) -> None:
        """Wait for a phone."""
        self._deadline = self._now() + RECEIPT_FOR * SECOND

    def say(self, error: TrousseauError, tone: Tone) -> Notice:
        """Show a notice for a while."""
        self._notices += 1
        self.notice = Notice(error.code, error.values, tone, self._notices)
        self._notice_until = self._now() + NOTICE_FOR * SECOND
        return self.notice

    def hush(self) -> None:
        """Take the notice away."""
        self.notice = None

    def over(self, step: Step) -> bool:
        """Let time pass: drop an old notice, ask « Toujours là ? »; true once nobody has answered."""
        now = self._now()
        if self.notice is not None and now >= self._notice_until and step is not Step.OUT_OF_SERVICE:
            self.notice = None
        if self._deadline is None or now < self._deadline:
            return False
        if step in ASKING and not self.asking:
            self.asking = True
            self._deadline = now + ASKING_FOR * SECOND
            return False
        return True

    def _now(self) -> int:
        return self._clock.now().monotonic
