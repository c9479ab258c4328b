"""Pins with something at the other end: switches that hands close, and lamps and locks that can be watched."""

from __future__ import annotations

from collections.abc import Callable

from gpiozero.pins.mock import MockFactory, MockPin

from kiosk.hardware.pins import BOARD


class WiredPin(MockPin):  # type: ignore[misc]  # gpiozero is not typed
    """A pin that may be wired to ground by a switch, and whose changes are heard."""

    heard: Callable[[WiredPin], None] | None = None
    grounded = False

    @property
    def is_high(self) -> bool:
        """The level on the wire."""
        return bool(self.state)

    def ground(self, closed: bool) -> None:
        """Close or open a switch to ground. Without one the pull-up wins."""
        self.grounded = closed
        if self.function == "input":
            self._settle()

    def _settle(self) -> None:
        if self.grounded:
            self.drive_low()
        elif self._get_pull() == "up":
            self.drive_high()

    def _set_pull(self, value: str) -> None:
        # gpiozero pulls an input when it takes it; a closed switch is stronger than any pull-up.
        super()._set_pull(value)
        self._settle()

    def _change_state(self, value: bool) -> bool:
        changed = bool(super()._change_state(value))
        if changed and self.heard is not None:
            self.heard(self)
        return changed


class WiredFactory(MockFactory):  # type: ignore[misc]  # gpiozero is not typed
    """Gives out wired pins."""

    def __init__(self) -> None:
        super().__init__(revision=BOARD, pin_class=WiredPin)

    def wired(self, number: int) -> WiredPin:
        """The pin with this BCM number."""
        pin = self.pin(number)
        assert isinstance(pin, WiredPin)
        return pin
