"""Tap → screen painted: the real demonstration, its page in Chromium with the processor slowed down six times.

From the moment at which the desk is handed the reader's report until the browser has painted the frame with the new picture:
after the change of the page, the next animation frame and then the first task behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from kiosk.daemon import screen_address
from kiosk.demo import Demonstration, demonstration
from kiosk.domain.identifiers import ItemId
from kiosk.domain.people import Tier
from kiosk.services.front import Remove, Screen, Step
from kiosk.services.ports import Tap
from tests.bench.measuring import Figure, Samples, Tick
from tests.bench.signer import WHAT, WHO
from tests.services import BROWSER_SWITCHES, free_port, program

ROUNDS: Final = 60
WARM_UP: Final = 5
SLOWER: Final = 6
BOUND: Final = 0.060
_DISPLAY: Final = {"width": 800, "height": 480}
_PATIENCE: Final = 10.0
#: Between two taps, as long as a slow screen may need to come to rest.
_REST: Final = 0.35

#: Times are milliseconds since 1970, by the browser's own steady clock.
_WATCH: Final = """() => {
  const stage = document.querySelector("#stage");
  window.painted = [];
  new MutationObserver(() => {
    const step = document.documentElement.dataset.step;
    requestAnimationFrame(() => {
      const frame = performance.timeOrigin + performance.now();
      const behind = new MessageChannel();
      behind.port1.onmessage = () => window.painted.push([step, frame, performance.timeOrigin + performance.now()]);
      behind.port2.postMessage(null);
    });
  }).observe(stage, { childList: true });
}"""
_NOW: Final = "() => performance.timeOrigin + performance.now()"


class _Stand:
    """Nadia at the touchscreen; her taps are handed to the desk as the reader would."""

    def __init__(self, demonstrated: Demonstration, page: Page) -> None:
        self._cabinet, self._page = demonstrated.cabinet, page
        self._watch = self._cabinet.counter.watch()
        store = self._cabinet.store
        person = store.register.directory().persons[_plain(WHO)]
        self._badge = next(tap for tap in _badges(demonstrated) if store.register.badge(tap.tag).person == person)  # type: ignore[union-attr]
        item = store.register.item(WHAT)
        assert item is not None
        assert item.tag is not None
        self._key = Tap("desk", item.tag, Tier.IDENTIFIER_ONLY)
        self._ahead = _ahead(page)
