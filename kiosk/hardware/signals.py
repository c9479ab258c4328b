"""Light and sound at the front: four signals that can be told apart with the eyes shut, and without the sound."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from gpiozero import DigitalOutputDevice, Factory


@dataclass(frozen=True, slots=True)
class Beat:
    """On and off, so many seconds each, so many times."""

    on: float
    off: float = 0.0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """What each part of the front does; None is silence or darkness."""

    buzzer: Beat | None = None
    green: Beat | None = None
    red: Beat | None = None


#: A tick: somebody is there. Short enough that the verdict, which may follow at once, does not cut into it.
SEEN: Final = Pattern(buzzer=Beat(0.03), green=Beat(0.08))
#: Two light beeps and a steady green light.
ACCEPTED: Final = Pattern(buzzer=Beat(0.06, 0.08, 2), green=Beat(1.5))
#: One long beep, red blinks slowly.
REFUSED: Final = Pattern(buzzer=Beat(0.6), red=Beat(0.3, 0.2, 3))
#: Many quick beeps, red blinks fast and for long.
ERROR: Final = Pattern(buzzer=Beat(0.1, 0.1, 8), red=Beat(0.1, 0.1, 25))


class FrontSignals:
    """Two lights and a buzzer. A new signal takes the place of the last."""

    def __init__(self, green: int, red: int, buzzer: int, pins: Factory) -> None:
        """Take the pins (BCM numbers)."""
        self._green = DigitalOutputDevice(green, initial_value=False, pin_factory=pins)
        self._red = DigitalOutputDevice(red, initial_value=False, pin_factory=pins)
        self._buzzer = DigitalOutputDevice(buzzer, initial_value=False, pin_factory=pins)
        # The reader's thread and the desk's give signals; gpiozero's devices are not made for two.
        self._playing = threading.Lock()
        self._closed = False

    def seen(self) -> None:
        """A tag entered the field."""
        self._play(SEEN)

    def accepted(self) -> None:
        """The record is durable."""
        self._play(ACCEPTED)

    def refused(self) -> None:
        """Nothing has changed."""
        self._play(REFUSED)

    def error(self) -> None:
        """Something is wrong."""
        self._play(ERROR)

    def close(self) -> None:
        """Fall silent and give the pins back."""
        with self._playing:
            if self._closed:
                return
            self._closed = True
            for device in (self._green, self._red, self._buzzer):
                device.off()  # a pin that is given back in the middle of a beat would stay high
                device.close()

    def _play(self, pattern: Pattern) -> None:
        parts = ((self._buzzer, pattern.buzzer), (self._green, pattern.green), (self._red, pattern.red))
        with self._playing:
            if self._closed:
                return  # a reader may still see a tag while the cabinet is being stopped
            for device, beat in parts:
                device.off()
                if beat is not None:
                    device.blink(on_time=beat.on, off_time=beat.off, n=beat.times, background=True)
