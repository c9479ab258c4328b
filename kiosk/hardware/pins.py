"""Where pins come from. The choice is explicit: a chip that is missing is an error, never a silent fall-back to another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from gpiozero import Factory, OutputDevice
from gpiozero.pins.mock import MockFactory, MockPin

from kiosk.domain.errors import HardwareMissing

#: What pins are taken from, for those who only hand it on.
PinFactory: TypeAlias = Factory

#: The board whose pins are simulated: given, so that no variable of the environment chooses another.
BOARD: Final = "a02082"

#: How long a PN532 is held in reset, and how long it takes to come back (user manual §3.1.4: 20 ns and 2 ms; ample).
_RESET_SECONDS: Final = 0.02


def pin_factory(name: str) -> Factory:
    """The pins of this machine ("lgpio") or pins of no machine at all ("mock").

    Raises:
        HardwareMissing: no such factory, its driver is not installed, or there is no chip; `kind` says what to do.
    """
    if name not in _FACTORIES:
        raise HardwareMissing(what=name, kind="choose_factory", choices=", ".join(_FACTORIES))
    return _FACTORIES[name]()


def _lgpio() -> Factory:
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as missing:
        # Debian's package, not PyPI's: there is no wheel for every Raspberry Pi.
        raise HardwareMissing(what="lgpio", kind="install_package", package="python3-lgpio") from missing
    try:
        return LGPIOFactory()
    except Exception as failed:  # lgpio raises its own kind of error, and gpiozero others
        raise HardwareMissing(what="gpiochip", kind="join_group", group="gpio") from failed


def _mock() -> Factory:
    return MockFactory(revision=BOARD, pin_class=MockPin)


_FACTORIES: Final[Mapping[str, Callable[[], Factory]]] = {"lgpio": _lgpio, "mock": _mock}


class ResetLine:
    """A chip's reset pin, active low: brings a reader back that does not answer any more."""

    def __init__(self, pin: int, pins: Factory) -> None:
        """Take BCM pin `pin` and leave the chip running."""
        self._line = OutputDevice(pin, active_high=False, pin_factory=pins)

    def pulse(self) -> None:
        """Reset the chip and wait until it is back."""
        self._line.on()
        time.sleep(_RESET_SECONDS)
        self._line.off()
        time.sleep(_RESET_SECONDS)

    def close(self) -> None:
        """Give the pin back."""
        self._line.close()
