"""The field of an antenna: which tags are in it, and which of them is spoken to."""

from __future__ import annotations

import threading
import time

from kiosk.hardware.simulated.tags import SimulatedTag


class Field:
    """Tags within reach. Hands put them down and take them away while a reader's frames go through; both from any thread."""

    def __init__(self) -> None:
        """An empty field."""
        self._change = threading.Condition()
        self._tags: list[SimulatedTag] = []
        self._selected: SimulatedTag | None = None
        self._selections = 0

    def place(self, tag: SimulatedTag) -> None:
        """Put a tag down."""
        with self._change:
            tag.put_down()
            self._tags.append(tag)
            self._selections = 0

    def remove(self, tag: SimulatedTag) -> None:
        """Take a tag away; if it is not there, nothing happens."""
        with self._change:
            if tag in self._tags:
                self._tags.remove(tag)
            if self._selected is tag:
                self._selected = None

    def wait_until_read(self, timeout: float) -> bool:
        """Wait until a reader has done with the tag put down last: it selects it again, at its next poll."""
        end = time.monotonic() + timeout
        with self._change:
            return self._change.wait_for(lambda: self._selections >= 2, end - time.monotonic())

    def power_off(self) -> None:
        """The reader switches its field off for a moment."""
        with self._change:
            self._selected = None
            for tag in self._tags:
                tag.power_off()

    def awake(self) -> list[SimulatedTag]:
        """The tags that answer a SENS_REQ sent now."""
        with self._change:
            self._selected = None
            return [tag for tag in self._tags if tag.wakes()]

    def select(self, tag: SimulatedTag) -> None:
        """The reader has singled out a tag."""
        with self._change:
            if tag in self._tags:
                tag.select()
                self._selected = tag
                self._selections += 1
                self._change.notify_all()

    def exchange(self, command: bytes) -> bytes | None:
        """Send the selected tag a command; None when nothing answers."""
        with self._change:
            return self._selected.exchange(command) if self._selected and command else None
