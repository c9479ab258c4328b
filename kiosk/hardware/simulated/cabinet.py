"""A whole cabinet to play with: door, lock, hooks, lamps and tags, moved by the hands of `kiosk simulate` and of the demo's page.

It stands at the far side of the wires: the product's own door, hooks, signals and reader run on its pins and in its field.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from kiosk.domain.errors import HandRefused
from kiosk.domain.identifiers import HookId
from kiosk.hardware.readers import DEFAULT_PACE
from kiosk.hardware.simulated.air import Air
from kiosk.hardware.simulated.pins import WiredFactory, WiredPin
from kiosk.hardware.simulated.tags import Ntag213, SimulatedTag, UidOnlyBadge, genuine_badge
from kiosk.hardware.wiring import Wiring
from kiosk.services.ports import VirtualCabinet, VirtualTag

#: How long a hand holds a tag against the reader, and how long it waits at most for a sign that it was read.
HOLD: Final = 0.3
PATIENCE: Final = 3.0
#: The longest time between two looks of `watch`.
GLANCE: Final = 5.0


class TagSpec(NamedTuple):
    """A tag to make: `kind` is badge or key, `uid` in hex, `medium` ntag424, ntag213 or uid_only, `hook` a key's own."""

    name: str
    kind: str
    label: str
    uid: str
    medium: str
    hook: str | None = None


class SimulatedCabinet:
    """A cabinet with its door shut and every key on its own hook. Fills the port `Simulation`; any thread may move it.

    `pins` is the factory for the product's door, hooks and signals; `reader_path` is what its reader opens.
    """

    def __init__(
        self,
        wiring: Wiring,
        tags: Sequence[TagSpec | tuple[str, str, str, str, str, str | None]],
        badge_key: bytes,
        *,
        away: Collection[str] = (),
        port: int = 0,
    ) -> None:
        """Build it. `badge_key` is the master key that the badges' own are derived from; `away` are keys that hang nowhere."""
        specs = [TagSpec(*tag) for tag in tags]
        self._tags = {spec.name: VirtualTag(spec.name, spec.kind, spec.label, _hook(spec.hook)) for spec in specs}
        self._media = {spec.name: _made(spec, badge_key) for spec in specs}
        self._hung: dict[HookId, str | None] = dict.fromkeys(wiring.hooks)
        for tag in self._tags.values():
            if tag.hook is not None:
                self._hung[tag.hook] = None if tag.name in away else tag.name
        self._wiring = wiring
        self._door_open = False
        self._on_reader: str | None = None
        self._last_tap: tuple[str, float] = ("", 0.0)
        self._closed = False
        self._version = 0
        # Re-entrant: a pin that we move may be heard by us within the same call.
        self._change = threading.Condition(threading.RLock())
        self._hand = threading.Lock()
        self.pins = WiredFactory()
        self._wire()
        self._air = Air(port)

    @property
    def reader_path(self) -> str:
        """What the cabinet's reader opens."""
        return self._air.path

    def close(self) -> None:
        """End every `watch` and stop the air. The pins' users have to be closed before."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._air.close()
        self.pins.close()

    # ---- hands

    def tags(self) -> Sequence[VirtualTag]:
        """Every virtual badge and key."""
        return list(self._tags.values())

    def tap(self, name: str) -> None:
        """Hold a tag against the reader until it has been read, or for as long as a hand would.

        Raises:
            HandRefused: there is no such tag.
        """
        self._known(name)
        with self._hand:
            self._be_away(name)
            self._put_on_reader(name)
            try:
                self._air.field.wait_until_read(PATIENCE)
                self._pause(HOLD - (time.monotonic() - self._last_tap[1]))
            finally:
                self._take_off_reader(name)

    def take(self, name: str) -> None:
        """Lift a key off its hook.

        Raises:
            HandRefused: the door is shut, or the key hangs on no hook.
        """
        self._known(name)
        with self._change:
            self._require_open()
            hook = next((hook for hook, key in self._hung.items() if key == name), None)
            if hook is None:
                raise HandRefused(kind="not_on_hook", tag=name)
            self._hang(hook, None)

    def hang(self, name: str, hook: HookId | None = None) -> None:
        """Hang a key on a hook, its own unless another is named.

        Raises:
            HandRefused: the door is shut, the key hangs already or has no hook of its own, or the hook is taken.
        """
        where = hook or self._known(name).hook
        with self._change:
            self._require_open()
            if name in self._hung.values():
                raise HandRefused(kind="already_on_hook", tag=name)
            if where is None:
                raise HandRefused(kind="no_hook", tag=name)
            if self._hung.get(where) is not None:
                raise HandRefused(kind="hook_taken", tag=name, hook=where)
            self._hang(where, name)

    def close_door(self) -> None:
        """Push the door shut."""
        with self._change:
            self._move_door(False)

    # ---- eyes

    def look(self) -> VirtualCabinet:
        """See the cabinet."""
        with self._change:
            hung = dict(sorted(self._hung.items()))
            keys = [tag.name for tag in self._tags.values() if tag.kind == "key"]
            return VirtualCabinet(
                door_open=self._door_open,
                hooks=hung,
                lit=frozenset(
                    hook
                    for hook, pins in self._wiring.hooks.items()
                    if pins.led is not None and self.pins.wired(pins.led).is_high
                ),
                lamp=next((name for name, pin in self._lamps() if pin.is_high), ""),
                on_reader=self._on_reader,
                in_hand=tuple(key for key in keys if key not in hung.values()),
            )

    def watch(self) -> Iterator[VirtualCabinet]:
        """See it now and again at each change, until the iterator or the cabinet is closed.

        When nothing changes for a while, the same sight comes again: who passes it on then finds out whether anybody still looks.
        """
        seen = -1
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._version != seen, GLANCE)  # noqa: B023 - called at once
                if self._closed:
                    return
                seen, view = self._version, self.look()
            yield view

    # ---- the far side of the wires

    def _wire(self) -> None:
        for hook in self._wiring.hooks:
            self._ground_switch(hook)
        self.pins.wired(self._wiring.contact).ground(True)
        self.pins.wired(self._wiring.lock).heard = self._lock_moved
        lights = [pins.led for pins in self._wiring.hooks.values() if pins.led is not None]
        for number in (self._wiring.green, self._wiring.red, *lights):
            self.pins.wired(number).heard = self._lamp_changed

    def _lock_moved(self, lock: WiredPin) -> None:
        """The released bolt lets the door spring open a little, which is how real ones are made."""
        if lock.is_high:
            with self._change:
                self._move_door(True)

    def _move_door(self, is_open: bool) -> None:
        self._door_open = is_open
        self.pins.wired(self._wiring.contact).ground(not is_open)
        self._changed()

    def _hang(self, hook: HookId, key: str | None) -> None:
        self._hung[hook] = key
        self._ground_switch(hook)
        self._changed()

    def _ground_switch(self, hook: HookId) -> None:
        if hook in self._wiring.hooks:
            self.pins.wired(self._wiring.hooks[hook].switch).ground(self._hung[hook] is not None)

    def _lamp_changed(self, _: WiredPin) -> None:
        with self._change:
            self._changed()

    def _lamps(self) -> tuple[tuple[str, WiredPin], ...]:
        return ("red", self.pins.wired(self._wiring.red)), ("green", self.pins.wired(self._wiring.green))

    def _changed(self) -> None:
        self._version += 1
        self._change.notify_all()

    def _put_on_reader(self, name: str) -> None:
        with self._change:
            self._on_reader, self._last_tap = name, (name, time.monotonic())
            self._air.field.place(self._media[name])
            self._changed()

    def _take_off_reader(self, name: str) -> None:
        with self._change:
            self._air.field.remove(self._media[name])
            self._on_reader, self._last_tap = None, (name, time.monotonic())
            self._changed()

    def _be_away(self, name: str) -> None:
        """The reader takes a tag that comes back at once for one that never left; a hand means a second tap."""
        last, when = self._last_tap
        if last == name:
            self._pause(when + DEFAULT_PACE.away + 2 * DEFAULT_PACE.poll - time.monotonic())

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self._change:
            while not self._closed and (left := end - time.monotonic()) > 0:
                self._change.wait(left)

    def _known(self, name: str) -> VirtualTag:
        if name not in self._tags:
            raise HandRefused(kind="unknown_tag", tag=name)
        return self._tags[name]

    def _require_open(self) -> None:
        if not self._door_open:
            raise HandRefused(kind="door_shut")


def _hook(name: str | None) -> HookId | None:
    return None if name is None else HookId(name)


def _made(spec: TagSpec, badge_key: bytes) -> SimulatedTag:
    uid = bytes.fromhex(spec.uid)
    match spec.medium:
        case "ntag424":
            return genuine_badge(uid, badge_key)
        case "ntag213":
            return Ntag213(uid)
        case "uid_only":
            return UidOnlyBadge(uid)
    raise ValueError(f"no such medium: {spec.medium}")
