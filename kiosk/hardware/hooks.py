"""Hooks that feel whether something hangs on them, and light up to show where it belongs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from gpiozero import LED, Button, Factory

from kiosk.domain.identifiers import HookId
from kiosk.hardware.debounce import Debouncer
from kiosk.hardware.wiring import HookPins
from kiosk.services.ports import HookChanged, Sink


class SwitchedHooks:
    """A microswitch, closed to ground under a key's weight, and a light for each hook. A cut wire looks like an empty hook."""

    def __init__(self, hooks: Mapping[HookId, HookPins], sink: Sink, pins: Factory, *, settle: float = 0.05) -> None:
        """Take the pins (BCM numbers). `settle` is how long a switch may bounce: a key swings as it is hung."""
        self._switches = {id_: Button(hook.switch, pull_up=True, pin_factory=pins) for id_, hook in hooks.items()}
        self._lights = {
            id_: LED(hook.led, initial_value=False, pin_factory=pins)
            for id_, hook in hooks.items()
            if hook.led is not None
        }
        self._lighting = threading.Lock()
        self._debouncer = Debouncer(
            self.sensed, self._is_occupied, lambda hook, occupied: sink(HookChanged(hook, occupied)), settle
        )
        for id_, switch in self._switches.items():
            switch.when_pressed = switch.when_released = partial(self._debouncer.edge, id_)

    @property
    def sensed(self) -> Mapping[HookId, bool]:
        """Every hook's switch as it is now."""
        return MappingProxyType({id_: self._is_occupied(id_) for id_ in self._switches})

    def light(self, hooks: frozenset[HookId]) -> None:
        """Light exactly these hooks; those without a light are passed over."""
        with self._lighting:
            for id_, light in self._lights.items():
                light.value = id_ in hooks

    def close(self) -> None:
        """Switch the lights off and give the pins back."""
        self._debouncer.close()
        for light in self._lights.values():
            if not light.closed:
                light.off()  # a pin that is given back would stay as it is
        for device in (*self._switches.values(), *self._lights.values()):
            device.close()

    def _is_occupied(self, hook: HookId) -> bool:
        return bool(self._switches[hook].is_pressed)
