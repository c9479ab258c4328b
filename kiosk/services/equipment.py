"""Everything that the desk works with."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.services.custody import CustodyService
from kiosk.services.pins import PinService
from kiosk.services.ports import Clock, Door, Hooks, Journal, Preferences, Register, Signals, Visits, Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """Everything that the desk works with."""

    clock: Clock
    journal: Journal
    register: Register
    visits: Visits
    preferences: Preferences
    pins: PinService
    custody: CustodyService
    door: Door
    hooks: Hooks
    signals: Signals
    witness: Witness
