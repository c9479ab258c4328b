"""PINs: argon2id, and a lock-out that survives a restart."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from kiosk.domain.errors import BadPin, NoPin, PinLocked, WrongPin
from kiosk.domain.identifiers import PersonId
from kiosk.services.ports import Pins, PinState
from kiosk.services.timestamps import timestamp

TRIES: Final = 5
LOCKED_FOR: Final = timedelta(minutes=15)
LENGTHS: Final = range(4, 9)


class PinService:
    """Sets and checks PINs.

    OWASP's second argon2id profile (19 MiB, two passes): about 0.1 s on a Raspberry Pi 4.
    """

    def __init__(self, pins: Pins) -> None:
        self._pins = pins
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

    def set(self, person: PersonId, pin: str) -> None:
        """Give a person a PIN, and with it lift a lock-out.

        Raises:
            BadPin: not 4 to 8 digits.
        """
        if len(pin) not in LENGTHS or not (pin.isascii() and pin.isdigit()):
            raise BadPin(shortest=LENGTHS.start, longest=LENGTHS.stop - 1)
        self._pins.keep_pin(person, PinState(self._hasher.hash(pin)))

    def require_usable(self, person: PersonId, now: datetime) -> PinState:
        """The PIN that this person may try now.

        Raises:
            NoPin: none was set.
            PinLocked: too many wrong tries.
        """
        state = self._pins.pin_of(person)
        if state is None:
            raise NoPin(person=person)
        if state.locked_until is not None and timestamp(now) < state.locked_until:
            raise PinLocked(until=state.locked_until)
        return state

    def check(self, person: PersonId, pin: str, now: datetime) -> None:
        """Compare; the failure is on disk before it is told, so that pulling the plug gives no further try.

        Raises:
            NoPin, PinLocked: as `require_usable`.
            WrongPin: with the tries that are left.
        """
        state = self.require_usable(person, now)
        try:
            self._hasher.verify(state.hash, pin)
        except VerifyMismatchError as e:
            raise self._failed(person, state, now) from e
        if state.failures:
            self._pins.note_tries(person, state.hash, 0, None)

    def _failed(self, person: PersonId, state: PinState, now: datetime) -> WrongPin | PinLocked:
        failures = 1 if state.locked_until else state.failures + 1
        until = timestamp(now + LOCKED_FOR) if failures >= TRIES else None
        if not self._pins.note_tries(person, state.hash, failures, until):
            # A new PIN was set while argon2 was at work: this try was at the old one, and the new one has all its tries.
            return WrongPin(left=TRIES)
        return WrongPin(left=TRIES - failures) if until is None else PinLocked(until=until)
