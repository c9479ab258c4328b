"""A touchscreen that shows whatever screen it is given: for pictures that a healthy cabinet seldom comes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Condition

from kiosk.daemon import WebServer
from kiosk.services.front import Press, Screen
from kiosk.services.ports import Register
from tests.services import free_port
from web import Services, create_app

KEY = "shown-by-a-test"


class Still:
    """Implements `Front` and, for its one browser, `Watch`: nobody is at the desk, and the picture changes by `show`."""

    def __init__(self, screen: Screen) -> None:
        self._screen, self._seen = screen, 0
        self._changed = Condition()
        self.pressed: list[Press] = []

    def show(self, screen: Screen) -> None:
        """Show another picture."""
        with self._changed:
            self._screen = replace(screen, stage=self._screen.stage + 1)
            self._changed.notify_all()

    def watch(self) -> "Still":
        """Subscribe."""
        self._seen = -1
        return self

    def next(self, timeout: float) -> Screen | None:
        """The picture, once."""
        with self._changed:
            self._changed.wait_for(lambda: self._screen.stage != self._seen, timeout)
            if self._screen.stage == self._seen:
                return None
            self._seen = self._screen.stage
            return self._screen

    def close(self) -> None:
        """End the subscription."""

    def press(self, token: str, press: Press) -> None:
        """Take note."""
        self.pressed.append(press)

    def may_read_inventory(self, token: str) -> bool:
        """Nobody may."""
        return False


@contextmanager
def served(front: Still, register: Register) -> Iterator[str]:
    """Serve it; gives the address that the browser opens."""
    web = WebServer(create_app(Services(front, register, KEY)), free_port())
    web.start()
    try:
        yield f"http://127.0.0.1:{web.port}/?k={KEY}"
    finally:
        web.stop()
        web.finish()
