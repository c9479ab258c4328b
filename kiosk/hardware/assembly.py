"""Puts a cabinet's hardware together from its wiring: on this machine's pins, or on a simulated cabinet's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from gpiozero import Factory

from kiosk.domain.identifiers import TagId
from kiosk.hardware.door import LockedDoor
from kiosk.hardware.hooks import SwitchedHooks
from kiosk.hardware.pins import ResetLine, pin_factory
from kiosk.hardware.readers import NfcReader
from kiosk.hardware.signals import FrontSignals
from kiosk.hardware.simulated.cabinet import SimulatedCabinet
from kiosk.hardware.wiring import ReaderWiring, Wiring
from kiosk.services.ports import Sink

Fingerprint = Callable[[bytes], TagId]


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the desk works with. The readers have not started; `close` gives every pin back."""

    door: LockedDoor
    hooks: SwitchedHooks
    signals: FrontSignals
    readers: tuple[NfcReader, ...]
    simulation: SimulatedCabinet | None
    close: Callable[[], None]


def wired(wiring: Wiring, factory: str, sink: Sink, fingerprint: Fingerprint, badge_key: bytes) -> Hardware:
    """Take this machine's pins.

    Raises:
        HardwareMissing: the pin driver or the chip is not there.
    """
    return _assemble(wiring, wiring.readers, pin_factory(factory), sink, fingerprint, badge_key, None)


def simulated(
    wiring: Wiring, cabinet: SimulatedCabinet, sink: Sink, fingerprint: Fingerprint, badge_key: bytes
) -> Hardware:
    """Take the simulated cabinet's pins, and its reader in place of those in the wiring."""
    readers = {"desk": ReaderWiring(cabinet.reader_path)}
    return _assemble(wiring, readers, cabinet.pins, sink, fingerprint, badge_key, cabinet)


def _assemble(
    wiring: Wiring,
    readers: Mapping[str, ReaderWiring],
    pins: Factory,
    sink: Sink,
    fingerprint: Fingerprint,
    badge_key: bytes,
    simulation: SimulatedCabinet | None,
) -> Hardware:
    with ExitStack() as stack:
        door = LockedDoor(wiring.lock, wiring.contact, sink, pins)
        stack.callback(door.close)
        hooks = SwitchedHooks(wiring.hooks, sink, pins)
        stack.callback(hooks.close)
        signals = FrontSignals(wiring.green, wiring.red, wiring.buzzer, pins)
        stack.callback(signals.close)
        resets = {name: _reset(reader, pins, stack) for name, reader in readers.items()}
        antennas = tuple(
            NfcReader(name, reader.path, sink, fingerprint, badge_key, signals.seen, reset=resets[name])
            for name, reader in readers.items()
        )
        return Hardware(door, hooks, signals, antennas, simulation, stack.pop_all().close)


def _reset(reader: ReaderWiring, pins: Factory, stack: ExitStack) -> Callable[[], None]:
    if reader.reset is None:
        return lambda: None
    line = ResetLine(reader.reset, pins)
    stack.callback(line.close)
    return line.pulse
