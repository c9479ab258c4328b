"""The thread that owns the desk, and the door that other threads knock at."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from kiosk.domain.errors import OutOfService
from kiosk.services.desk import STALE, Desk
from kiosk.services.front import Press, Screen, Step, Watch
from kiosk.services.patience import SECOND
from kiosk.services.ports import Clock, Report, Sink, Tap, TapFailed, TapFault

log = logging.getLogger(__name__)

#: A press that has not taken effect by then is not going to, seconds.
PRESS_TIMEOUT: Final = 15.0


@dataclass(frozen=True, slots=True)
class _Pressed:
    token: str
    press: Press
    answer: Future[None]


@dataclass(frozen=True, slots=True)
class _Heard:
    report: Report
    at: int


Inbox = queue.SimpleQueue[_Heard | _Pressed | None]
"""What waits for the desk."""


def ear(inbox: Inbox, clock: Clock) -> Sink:
    """Where the hardware's threads put their reports, which never blocks; each is stamped with when it came."""
    return lambda report: inbox.put(_Heard(report, clock.now().monotonic))


class Counter:
    """Implements `Front`. Reports and presses queue up here and are handled one after another."""

    def __init__(self, desk: Desk, clock: Clock, inbox: Inbox) -> None:
        self._desk = desk
        self._clock = clock
        self._inbox = inbox
        self._thread = threading.Thread(target=self._run, name="desk")
        self._changed = threading.Condition()
        self._shown = desk.screen
        self._stopped = False
        #: When the desk last went round, on the monotonic clock; a watchdog reads it.
        self.beat = clock.now().monotonic

    def start(self) -> None:
        """Resolve what a restart left open, then serve."""
        self._desk.resume()
        self._show()
        self._thread.start()

    def stop(self) -> None:
        """Finish what has queued up, then end; those who watch are let go."""
        self._inbox.put(None)
        self._thread.join()
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def press(self, token: str, press: Press) -> None:
        """Press a button and wait until it has taken effect; see `Front.press`."""
        pressed = _Pressed(token, press, Future())
        self._inbox.put(pressed)
        try:
            pressed.answer.result(PRESS_TIMEOUT)
        except TimeoutError as e:
            raise OutOfService from e

    def may_read_inventory(self, token: str) -> bool:
        """Whether the visit of this token is at the inventory."""
        shown = self._shown
        return shown.step is Step.INVENTORY and bool(token) and token == shown.token

    def watch(self) -> Watch:
        """Subscribe to the screen."""
        return ScreenWatch(self._changed, lambda: self._shown, lambda: self._stopped)

    def _run(self) -> None:
        while True:
            try:
                work = self._inbox.get(timeout=self._wait())
            except queue.Empty:
                self._desk.tick()
            else:
                if work is None:
                    return
                self._serve(work)
            self.beat = self._clock.now().monotonic
            self._show()

    def _wait(self) -> float:
        due = self._desk.next_tick
        return 1.0 if due is None else min(1.0, max(0.0, (due - self._clock.now().monotonic) / SECOND))

    def _serve(self, work: _Heard | _Pressed) -> None:
        if isinstance(work, _Heard):
            self._desk.report(self._fresh(work))
            return
        try:
            self._desk.press(work.token, work.press)
        except Exception as e:
            work.answer.set_exception(e)
        else:
            work.answer.set_result(None)

    def _fresh(self, heard: _Heard) -> Report:
        """A tap that had to wait is not obeyed: whoever tapped may have gone, and the door would open for nobody."""
        stale = self._clock.now().monotonic - heard.at > STALE
        if stale and isinstance(heard.report, Tap):
            return TapFailed(heard.report.reader, TapFault.TORN)
        return heard.report

    def _show(self) -> None:
        with self._changed:
            if self._shown != self._desk.screen:
                self._shown = self._desk.screen
                self._changed.notify_all()


class ScreenWatch:
    """Implements `Watch`: a slow screen misses states, never the newest one."""

    def __init__(self, changed: threading.Condition, shown: Callable[[], Screen], stopped: Callable[[], bool]) -> None:
        self._changed = changed
        self._shown = shown
        self._stopped = stopped
        self._seen: Screen | None = None
        self._closed = False

    def next(self, timeout: float) -> Screen | None:
        """The newest state, once; None when nothing has changed in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._over() or self._shown() is not self._seen, timeout)
            if self._over() or self._shown() is self._seen:
                return None
            self._seen = self._shown()
            return self._seen

    def close(self) -> None:
        """End the subscription; a waiting `next` returns."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _over(self) -> bool:
        return self._closed or self._stopped()
