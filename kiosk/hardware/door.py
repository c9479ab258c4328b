"""The cabinet's door: a lock that a pulse releases, and a contact that tells whether the door is open."""

from __future__ import annotations

from gpiozero import Button, DigitalOutputDevice, Factory

from kiosk.hardware.debounce import Debouncer
from kiosk.services.ports import DoorChanged, Sink


class LockedDoor:
    """A door on two pins. The lock is fail-secure: without current, and so without us, it stays shut."""

    def __init__(
        self, lock: int, contact: int, sink: Sink, pins: Factory, *, pulse: float = 0.5, settle: float = 0.05
    ) -> None:
        """Take the pins (BCM numbers). `pulse` is how long the lock is released, `settle` how long the contact may bounce.

        The contact is closed to ground while the door is shut: a cut wire looks like an open door, which is noticed.
        """
        self._pulse = pulse
        self._lock = DigitalOutputDevice(lock, initial_value=False, pin_factory=pins)
        self._contact = Button(contact, pull_up=True, pin_factory=pins)
        self._debouncer = Debouncer(
            {"door": self.is_open}, lambda _: self.is_open, lambda _, is_open: sink(DoorChanged(is_open)), settle
        )
        self._contact.when_pressed = self._contact.when_released = self._edge

    @property
    def is_open(self) -> bool:
        """What the contact says now."""
        return not self._contact.is_pressed

    def release(self) -> None:
        """Pulse the lock; returns at once."""
        self._lock.blink(on_time=self._pulse, off_time=0, n=1, background=True)

    def close(self) -> None:
        """Lock, and give the pins back."""
        if not self._lock.closed:
            self._lock.off()  # a pin that is given back in the middle of a pulse would stay high
        self._lock.close()
        self._debouncer.close()
        self._contact.close()

    def _edge(self) -> None:
        self._debouncer.edge("door")
