"""A whole cabinet to stand in front of: hands, a finger, and a look into its record."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from kiosk.daemon import screen_address
from kiosk.demo import Demonstration
from kiosk.domain.identifiers import ItemId
from kiosk.keys import VERIFIER_KEYS
from kiosk.services.ports import Register, Simulation

#: Where people stand: the 7" panel, Touch Display 2, and the same one with its picture scaled.
LANDSCAPE = (800, 480, 1.0)
PORTRAIT = (720, 1280, 1.0)
SCALED = (450, 800, 1.6)
DISPLAYS = {"800x480": LANDSCAPE, "720x1280": PORTRAIT, "450x800@1.6": SCALED}

#: How many pixels of the page 20 mm are, on each display.
TARGETS = {"800x480": 104, "720x1280": 166, "450x800@1.6": 104}

PATIENCE = 10.0

#: A signature somebody could have made, as shares of the pad.
SIGNATURE = [(0.1 + 0.05 * n, 0.35 + 0.25 * (n % 2)) for n in range(16)]


class Finger:
    """A real touch, given to the browser as its touchscreen gives it. `touches` counts them."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._input = page.context.new_cdp_session(page)
        self.touches = 0

    def tap(self, target: Locator) -> None:
        """Touch the middle of a button."""
        self.touch(middle(target))

    def touch(self, point: tuple[float, float]) -> None:
        """Touch a place, whatever is there by now."""
        self._draw([point])

    def sign(self, pad: Locator, points: Sequence[tuple[float, float]] = SIGNATURE) -> None:
        """Draw one stroke over the pad and lift the finger while it still moves."""
        box = _box(pad)
        self._draw([(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points])

    def _draw(self, points: Sequence[tuple[float, float]]) -> None:
        self.touches += 1
        for number, (x, y) in enumerate(points):
            self._touch("touchMove" if number else "touchStart", [{"x": x, "y": y}])
        self._touch("touchEnd", [])

    def _touch(self, what: str, points: list[dict[str, float]]) -> None:
        self._input.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})


def _box(target: Locator) -> Any:  # noqa: ANN401  # Playwright's box, which may be none
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    return box


def middle(target: Locator) -> tuple[float, float]:
    """Where a finger aims."""
    box = _box(target)
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


class Stand:
    """Somebody at the touchscreen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.finger = Finger(page)

    def find(self, selector: str) -> Locator:
        """A part of the page."""
        return self.page.locator(selector)

    def sees(self, step: str) -> None:
        """Wait until the screen is at a step."""
        expect(self.find(f'html[data-step="{step}"]')).to_be_attached(timeout=PATIENCE * 1000)

    def reads(self, text: str) -> None:
        """Wait until a text is on the screen."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE * 1000)

    def tap(self, selector: str) -> None:
        """Touch a part of the page once it can be."""
        target = self.find(selector)
        expect(target).to_be_enabled()
        self.finger.tap(target)

    def sign(self) -> None:
        """Draw a signature."""
        self.finger.sign(self.find("#pad"))

    def validate(self) -> None:
        """Touch « Valider »."""
        self.tap("#confirm")

    def type_pin(self, pin: str) -> None:
        """Touch the digits, then the tick."""
        for digit in pin:
            self.tap(f'[data-digit="{digit}"]')
        self.tap('[data-digit="enter"]')


class Cabinet:
    """The running demonstration, seen from outside and, for the verdict, from inside."""

    def __init__(self, demonstration: Demonstration, browser: Browser) -> None:
        self._demonstration = demonstration
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []

    @property
    def hands(self) -> Simulation:
        """The hands of the person."""
        simulation = self._demonstration.cabinet.simulation
        assert simulation is not None
        return simulation

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._demonstration.web.port

    @property
    def key(self) -> str:
        """The screen's key."""
        return self._demonstration.cabinet.screen_key

    def address(self, path: str = "/", port: int | None = None) -> str:
        """A page with its key."""
        address = screen_address(self._demonstration.cabinet, self._demonstration.web, path)
        return address if port is None else address.replace(f":{self.port}/", f":{port}/")

    def context(self, display: tuple[int, int, float] = LANDSCAPE, *, still: bool = False) -> BrowserContext:
        """A browser of its own with a touchscreen; in a still one nothing moves by itself."""
        width, height, scale = display
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            has_touch=True,
            reduced_motion="reduce" if still else "no-preference",
        )
        self._contexts.append(context)
        return context

    def page(self, address: str, context: BrowserContext | None = None) -> Page:
        """A page of which every fault is remembered."""
        page = (context or self.context()).new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text) if "Security Policy" in said.text else None)
        page.goto(address)
        return page

    def stand(
        self, display: tuple[int, int, float] = LANDSCAPE, port: int | None = None, *, still: bool = False
    ) -> Stand:
        """Somebody at a touchscreen of this size, which shows the first picture."""
        stand = Stand(self.page(self.address("/", port), self.context(display, still=still)))
        expect(stand.find("#stage > .stage")).to_be_visible()
        return stand

    def identify(self, stand: Stand, badge: str = "nadia") -> None:
        """Hold a badge to the reader and see the door open."""
        self.hands.tap(badge)
        stand.sees("open")
        eventually(lambda: self.hands.look().door_open)

    def lift(self, key: str) -> None:
        """Take a key off its hook and hold it to the reader."""
        self.hands.take(key)
        self.hands.tap(key)

    def to_signing(self, stand: Stand, *keys: str, badge: str = "nadia") -> None:
        """Everything up to the signature."""
        self.identify(stand, badge)
        for key in keys:
            self.lift(key)
            expect(stand.find(f'[data-item="{key}"]')).to_be_visible()
        stand.sees("signing")

    def take(self, stand: Stand, *keys: str) -> None:
        """A whole take, door shut again."""
        self.to_signing(stand, *keys)
        stand.sign()
        stand.validate()
        stand.sees("done")
        self.leave(stand)

    def leave(self, stand: Stand) -> None:
        """Shut the door and wait for the first picture."""
        self.hands.close_door()
        stand.sees("idle")

    def custody(self, key: str) -> list[str]:
        """The types of this key's custody events, oldest first, without those of before the test."""
        return [entry["type"] for entry in self._entries() if entry["subject"] == key][1:]

    def holder(self, key: str) -> str | None:
        """Who holds a key, by name."""
        line = self._demonstration.cabinet.store.register.lines_of([ItemId(key)])[0]
        return line.holder

    def newest(self) -> bytes:
        """The bytes of the last entry."""
        journal = self._demonstration.cabinet.store.journal
        return journal.read(journal.size() - 1, 1)[0]

    @property
    def keys(self) -> str:
        """The public keys that headquarters hands out."""
        return (self._demonstration.cabinet.settings.folder / VERIFIER_KEYS).read_text(encoding="utf-8")

    @property
    def register(self) -> Register:
        """What the cabinet knows."""
        return self._demonstration.cabinet.store.register

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        journal = self._demonstration.cabinet.store.journal
        return (json.loads(entry) for entry in journal.read(0, journal.size()))

    def close(self) -> None:
        """Close every browser."""
        for context in self._contexts:
            context.close()


@contextmanager
def opened(demonstration: Demonstration, browser: Browser) -> Iterator[Cabinet]:
    """Stand at a running demonstration; afterwards no page may have complained."""
    cabinet = Cabinet(demonstration, browser)
    try:
        yield cabinet
        if cabinet.faults:
            pytest.fail("the pages complained: " + "; ".join(cabinet.faults))
    finally:
        cabinet.close()


def eventually(happened: Callable[[], bool]) -> None:
    """Wait for something that is not on a page."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def picture(name: str) -> Path:
    """Where the README finds a picture."""
    folder = Path(__file__).parents[2] / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.png"
