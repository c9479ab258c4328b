"""What the screen shows of a visit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from kiosk.domain.identifiers import HookId
from kiosk.services.front import Screen, Sight, Step
from kiosk.services.pins import LENGTHS
from kiosk.services.ports import Witnessed
from kiosk.services.timestamps import timestamp
from kiosk.services.visit import Visit

#: Within half a day nobody takes one day's time for another's.
_RECENT: Final = timedelta(hours=12)


def sight(witnessed: Witnessed, newest: int, now: datetime) -> Sight:
    """What headquarters has seen, when `newest` is the last entry that was signed for here."""
    at = witnessed.at
    return Sight(
        at=None if at is None else timestamp(at),
        recent=at is not None and now - at < _RECENT,
        online=witnessed.online,
        waiting=witnessed.size < newest,
        trouble=witnessed.trouble,
    )


def with_visit(screen: Screen, visit: Visit, sensed: Mapping[HookId, bool]) -> Screen:
    """Add the visit to a screen; each step shows its own part of it."""
    signing = screen.step is Step.SIGNING
    return replace(
        screen,
        token=visit.token,
        name=visit.name,
        tier=visit.tier,
        basket=visit.basket_lines(sensed) if signing else (),
        statement=visit.statement(screen.language) if signing else None,
        untapped=visit.untapped_lines(sensed),
        recorded=visit.recorded if screen.step is Step.DONE else (),
        receipt=visit.receipt if screen.step is Step.DONE else "",
        digits=LENGTHS.stop - 1 if screen.step is Step.PIN else 0,
        offers_inventory=visit.person.is_manager,
        offers_custody=visit.person.is_technician,
    )


class Easel:
    """Numbers the pictures: the number rises exactly when the picture below the notices has to be painted anew."""

    def __init__(self) -> None:
        self._stage = 0
        self._last: Screen | None = None

    def place(self, screen: Screen) -> Screen:
        """Give a screen its number."""
        picture = replace(screen, stage=0, notice=None, asking=False, reader_up=True, clock_doubtful=False, sight=None)
        if picture.step is Step.SIGNING:
            # A drawing has begun, perhaps: doors and hooks may move without wiping it. The basket is in the statement.
            picture = replace(picture, basket=(), untapped=(), door_open=False)
        if picture != self._last:
            self._stage, self._last = self._stage + 1, picture
        return replace(screen, stage=self._stage)
