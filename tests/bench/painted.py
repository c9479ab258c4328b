"""Tap → screen painted: the real demonstration, its page in Chromium with the processor slowed down six times.

From the moment at which the desk is handed the reader's report, measured twice: until the animation frame that follows the change
of the page, and until the first task behind that frame, when the browser's thread has laid it out and painted it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from kiosk.clock import SystemClock
from kiosk.daemon import screen_address
from kiosk.demo import Demonstration, demonstration
from kiosk.domain.people import Tier
from kiosk.services.counter import ear
from kiosk.services.front import Remove, Screen, Step
from kiosk.services.ports import Tap
from tests.bench.measuring import Figure, Samples, Tick
from tests.bench.signer import BADGE, WHAT
from tests.services import BROWSER_SWITCHES, free_port, program

ROUNDS: Final = 60
WARM_UP: Final = 5
SLOWER: Final = 6
BOUND: Final = 0.060
_DISPLAY: Final = (800, 480)
_PATIENCE: Final = 10.0
#: After a step, as long as a slow screen needs to come to rest.
_REST: Final = 0.3

#: Times are milliseconds since 1970, by the browser's own steady clock.
_WATCH: Final = """() => {
  window.painted = [];
  new MutationObserver(() => {
    const step = document.documentElement.dataset.step;
    requestAnimationFrame(() => {
      const frame = performance.timeOrigin + performance.now();
      const behind = new MessageChannel();
      behind.port1.onmessage = () => window.painted.push([step, frame, performance.timeOrigin + performance.now()]);
      behind.port2.postMessage(null);
    });
  }).observe(document.querySelector("#stage"), { childList: true });
}"""
Painted = tuple[float, float]
"""Seconds until the animation frame, and until the task behind it."""

_NOW: Final = "() => performance.timeOrigin + performance.now()"


class _Stand:
    """Nadia at the touchscreen; her taps are handed to the desk as the reader hands them."""

    def __init__(self, demonstrated: Demonstration, page: Page) -> None:
        self._cabinet, self._page = demonstrated.cabinet, page
        self._watch = self._cabinet.counter.watch()
        self._badge = Tap("desk", self._cabinet.store.fingerprints.of(BADGE), Tier.AUTHENTICATED)
        item = self._cabinet.store.register.item(WHAT)
        assert item is not None
        assert item.tag is not None
        self._key = Tap("desk", item.tag, Tier.IDENTIFIER_ONLY)
        self._ahead = _ahead(page)

    def visit(self) -> tuple[Painted, Painted]:
        """Badge, key, ✕, door: when the open cabinet, and when the signature's pad, were painted."""
        opened = self._tap(self._badge, Step.OPEN)
        signing = self._tap(self._key, Step.SIGNING)
        self._cabinet.counter.press(self._until(Step.SIGNING).token, Remove(WHAT))
        self._until(Step.OPEN)
        simulation = self._cabinet.simulation
        assert simulation is not None
        simulation.close_door()
        self._until(Step.IDLE)
        time.sleep(_REST)
        return opened, signing

    def _tap(self, tap: Tap, shows: Step) -> Painted:
        self._page.evaluate("() => { window.painted = []; }")
        time.sleep(_REST)
        began = time.time()
        ear(self._cabinet.counter._inbox, SystemClock())(tap)
        time.sleep(_REST)
        frame, painted = self._painted(shows)
        return frame - self._ahead - began, painted - self._ahead - began

    def _painted(self, step: Step) -> Painted:
        """When the picture of this step was painted, in the browser's time; asked rarely, since asking disturbs the page."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for shown, frame, painted in self._page.evaluate("() => window.painted"):
                if shown == step.value:
                    return float(frame) / 1000, float(painted) / 1000
            time.sleep(_REST)
        raise AssertionError(f"{step} was not painted")

    def _until(self, step: Step) -> Screen:
        deadline = time.monotonic() + _PATIENCE
        shown = self._cabinet.counter._shown
        while shown.step is not step:
            assert time.monotonic() < deadline, f"the desk shows {shown.step} and not {step}"
            shown = self._watch.next(0.1) or self._cabinet.counter._shown
        return shown


def _ahead(page: Page) -> float:
    """How many seconds the browser's clock is ahead of ours, by the quickest of many questions."""
    answers = []
    for _ in range(50):
        asked = time.time()
        told = float(page.evaluate(_NOW)) / 1000
        answered = time.time()
        answers.append((answered - asked, told - (asked + answered) / 2))
    return min(answers)[1]


@contextmanager
def _stand(folder: Path) -> Iterator[_Stand]:
    width, height = _DISPLAY
    with demonstration(folder, free_port()) as demonstrated, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=list(BROWSER_SWITCHES))
        try:
            page = browser.new_page(viewport={"width": width, "height": height}, has_touch=True)
            page.goto(screen_address(demonstrated.cabinet, demonstrated.web))
            page.wait_for_selector("#stage > .stage")
            page.evaluate(_WATCH)
            stand = _Stand(demonstrated, page)
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
            yield stand
        finally:
            browser.close()


def measure(folder: Path, tick: Tick) -> list[Figure]:
    """Visit again and again."""
    with _stand(folder / "painted") as stand:
        for _ in range(WARM_UP):
            stand.visit()
        visits = []
        for _ in range(ROUNDS):
            visits.append(stand.visit())
            tick()
    opened, signing = zip(*visits, strict=True)
    return [*_figures("badge → open cabinet", opened), *_figures("key → signing screen", signing)]


def _figures(what: str, times: Sequence[Painted]) -> Iterator[Figure]:
    for how, values in zip(("its animation frame", "painted"), zip(*times, strict=True), strict=True):
        yield Figure(what=f"{what}, {how}, {SLOWER} times slower", samples=Samples(values), bound=BOUND)
