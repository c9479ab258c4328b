"""Which wire goes where: `firmware_config/pins.toml` and `readers.toml`, read once, every fault reported together."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from kiosk.domain.errors import BadSettings
from kiosk.domain.identifiers import HookId

#: GPIO numbers as Broadcom counts them; a Raspberry Pi's header has 0 to 27.
PINS: Final = range(28)
#: The serial line, which the reader is on.
UART_PINS: Final = frozenset({14, 15})

_FRONT: Final = ("lock", "contact", "buzzer", "green", "red")
_HOOK: Final = ("switch", "led")
_READER: Final = ("path", "reset")


class Fault(NamedTuple):
    """One thing wrong: what kind, at which key (`pins.hooks.03.led`), and what was found or is meant."""

    code: str
    where: str
    detail: str


class HookPins(msgspec.Struct, frozen=True):
    """A hook's pins. A hook may do without a light."""

    switch: int
    led: int | None = None


class ReaderWiring(msgspec.Struct, frozen=True):
    """How a reader is reached, and the pin on its reset line, if there is one."""

    path: str
    reset: int | None = None


class Wiring(msgspec.Struct, frozen=True):
    """All the cabinet's wires, by BCM number."""

    lock: int
    contact: int
    buzzer: int
    green: int
    red: int
    hooks: Mapping[HookId, HookPins]
    readers: Mapping[str, ReaderWiring]


def load_wiring(pins: Path, readers: Path) -> Wiring:
    """Read both files.

    Raises:
        BadSettings: `faults` lists every `Fault` of both.
    """
    check = _Check()
    front = check.read(pins, "pins")
    found = check.read(readers, "readers")
    if front is not None:
        check.front(front)
    for name, reader in check.tables(found or {}, "readers").items():
        check.reader(reader, f"readers.{name}")
    if check.faults:
        raise BadSettings(faults=check.faults)
    return msgspec.convert({"hooks": {}, **(front or {}), "readers": found}, Wiring)


class _Check:
    """Gathers faults, and who has which pin."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._taken: dict[int, str] = {}

    def fault(self, code: str, where: str, detail: object = "") -> None:
        self.faults.append(Fault(code, where, str(detail)))

    def read(self, path: Path, where: str) -> dict[str, Any] | None:
        try:
            return tomllib.loads(path.read_text("utf-8"))
        except OSError as unreadable:
            self.fault("unreadable", where, unreadable.strerror)
        except ValueError as malformed:
            self.fault("not_toml", where, malformed)
        return None

    def front(self, pins: Mapping[str, object]) -> None:
        self.table(pins, "pins", _FRONT, known=(*_FRONT, "hooks"))
        for name, hook in self.tables(pins.get("hooks", {}), "pins.hooks").items():
            self.table(hook, f"pins.hooks.{name}", _HOOK, needed=("switch",))

    def tables(self, value: object, where: str) -> dict[str, dict[str, Any]]:
        """A table of tables; what is none is a fault and left out."""
        if not isinstance(value, dict):
            self.fault("not_a_table", where, value)
            return {}
        for name, table in value.items():
            if not isinstance(table, dict):
                self.fault("not_a_table", f"{where}.{name}", table)
        return {name: table for name, table in value.items() if isinstance(table, dict)}

    def table(
        self,
        table: Mapping[str, object],
        where: str,
        keys: Collection[str],
        *,
        needed: Collection[str] | None = None,
        known: Collection[str] | None = None,
    ) -> None:
        """A table whose `keys` are pins."""
        self.names(table, where, keys if known is None else known)
        for key in keys:
            if key in table:
                self.pin(table[key], f"{where}.{key}")
            elif key in (keys if needed is None else needed):
                self.fault("missing", f"{where}.{key}")

    def reader(self, table: Mapping[str, object], where: str) -> None:
        self.names(table, where, _READER)
        if not isinstance(table.get("path"), str):
            self.fault("not_a_path" if "path" in table else "missing", f"{where}.path", table.get("path", ""))
        if "reset" in table:
            self.pin(table["reset"], f"{where}.reset")

    def names(self, table: Mapping[str, object], where: str, known: Collection[str]) -> None:
        for key in table:
            if key in known:
                continue
            if close := difflib.get_close_matches(key, known, 1):
                self.fault("unknown_key", f"{where}.{key}", close[0])
            else:
                self.fault("unknown_key_among", f"{where}.{key}", ", ".join(known))

    def pin(self, pin: object, where: str) -> None:
        # A bool is an int to Python, and no pin to anybody.
        if not isinstance(pin, int) or isinstance(pin, bool):
            self.fault("not_a_pin", where, pin)
        elif pin not in PINS:
            self.fault("out_of_range", where, pin)
        elif pin in UART_PINS:
            self.fault("uart_pin", where, pin)
        elif pin in self._taken:
            self.fault("duplicate_pin", where, f"{pin} {self._taken[pin]}")
        else:
            self._taken[pin] = where
