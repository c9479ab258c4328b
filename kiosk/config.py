"""Settings: frozen, read once, every fault reported together.

Each field's docstring-like comment stands in `docs/configuration.md`; a test holds the two together.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import msgspec

from kiosk.domain.errors import BadSettings, NotInitialised

FILE: Final = "kiosk.toml"
NODE: Final = re.compile(r"[a-z0-9-]{3,32}")
PORTS: Final = range(1, 65_536)
PROTOCOLS: Final = ("5", "3.1.1")
#: Between the user's name and the host, or as a parameter of its own; in a URL that may be malformed.
_PASSWORD: Final = re.compile(r"(://[^:@/]*:)[^@]+(?=@)|([?&]password=)[^&]*")
PIN_FACTORIES: Final = ("lgpio", "mock")
_TLS: Final = ("ca", "certificate", "key")


class CabinetSettings(msgspec.Struct, frozen=True, kw_only=True):
    """This cabinet and what is wired to it."""

    node: str = ""
    pins: str = "lgpio"
    pins_file: str = ""
    readers_file: str = ""


class ScreenSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The touchscreen's listener; always on loopback."""

    port: int = 8080


class BrokerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The MQTT broker between cabinet and headquarters."""

    host: str = "127.0.0.1"
    port: int = 1883
    protocol: str = "5"
    ca: str = ""
    certificate: str = ""
    key: str = ""


class HeadquartersSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The central register; an SQLAlchemy URL."""

    database: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, with the folder that they were read from."""

    folder: Path
    cabinet: CabinetSettings
    screen: ScreenSettings
    broker: BrokerSettings
    headquarters: HeadquartersSettings

    @property
    def database(self) -> Path:
        """The cabinet's database file."""
        return self.folder / "cabinet.db"

    @property
    def central_database(self) -> str | Path:
        """Where headquarters keeps the central register."""
        return self.headquarters.database or self.folder / "headquarters.db"

    @property
    def control(self) -> Path:
        """The socket that commands reach the running service by; its folder is the service's own."""
        return self.folder / "control.sock"

    @property
    def screen_key(self) -> Path:
        """The key that the touchscreen's browser has to show."""
        return self.folder / "screen.key"


SECTIONS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "cabinet": CabinetSettings,
    "screen": ScreenSettings,
    "broker": BrokerSettings,
    "headquarters": HeadquartersSettings,
}

Fault = tuple[str, str, str]
"""A code of the catalogue (`settings.<code>`), where, and a detail."""


def read(folder: Path) -> Settings:
    """Read `kiosk.toml` in `folder`.

    Raises:
        NotInitialised: there is no such file.
        BadSettings: with every fault of the file in `faults`.
    """
    path = folder / FILE
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise NotInitialised(folder=str(folder)) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise BadSettings(file=str(path), faults=[("not_toml", FILE, str(e))]) from e
    faults = [*_unknown(raw), *_wrong_types(raw)]
    sound = _without(raw, {where for _, where, _ in faults})
    settings = msgspec.convert(sound | {"folder": folder}, _WithDefaults)
    faults += _wrong_values(settings)
    if faults:
        raise BadSettings(file=str(path), faults=faults)
    return Settings(**{name: getattr(settings, name) for name in Settings.__struct_fields__})


class _WithDefaults(msgspec.Struct, frozen=True, kw_only=True):
    folder: Path
    cabinet: CabinetSettings = CabinetSettings()
    screen: ScreenSettings = ScreenSettings()
    broker: BrokerSettings = BrokerSettings()
    headquarters: HeadquartersSettings = HeadquartersSettings()


def _unknown(raw: Mapping[str, Any]) -> Iterator[Fault]:
    for section, values in raw.items():
        if section not in SECTIONS:
            yield _suggest("unknown_section", section, section, list(SECTIONS))
        elif isinstance(values, dict):
            known = SECTIONS[section].__struct_fields__
            for name in values:
                if name not in known:
                    yield _suggest("unknown_key", f"{section}.{name}", name, list(known))


def _without(raw: Mapping[str, Any], told: set[str]) -> dict[str, Any]:
    """What is left when everything with a fault is taken out: its values can still be looked at."""
    return {
        section: {name: value for name, value in values.items() if f"{section}.{name}" not in told}
        for section, values in raw.items()
        if section not in told
    }


def _suggest(code: str, where: str, name: str, known: list[str]) -> Fault:
    close = difflib.get_close_matches(name, known, 1)
    return (code, where, close[0]) if close else (f"{code}_among", where, ", ".join(known))


def _wrong_types(raw: Mapping[str, Any]) -> Iterator[Fault]:
    for section, class_ in SECTIONS.items():
        values = raw.get(section, {})
        if not isinstance(values, dict):
            yield ("not_a_table", section, "")
            continue
        hints = get_type_hints(class_)
        for name, value in values.items():
            wanted = hints.get(name)
            if wanted is not None and type(value) not in (wanted, *get_args(wanted)):
                yield ("wrong_type", f"{section}.{name}", wanted.__name__)


def _wrong_values(settings: _WithDefaults) -> Iterator[Fault]:
    cabinet, broker = settings.cabinet, settings.broker
    if cabinet.node and not NODE.fullmatch(cabinet.node):
        yield ("node", "cabinet.node", cabinet.node)
    if cabinet.pins not in PIN_FACTORIES:
        yield ("choice", "cabinet.pins", ", ".join(PIN_FACTORIES))
    if settings.screen.port not in PORTS:
        yield ("port", "screen.port", str(settings.screen.port))
    if broker.port not in PORTS:
        yield ("port", "broker.port", str(broker.port))
    if broker.protocol not in PROTOCOLS:
        yield ("choice", "broker.protocol", ", ".join(PROTOCOLS))
    yield from _missing_files("cabinet", cabinet, "pins_file", "readers_file")
    yield from _missing_files("broker", broker, *_TLS)
    # Without an authority nothing says whom to believe; a certificate without its key proves nothing, nor the other way round.
    for name, needed_by in (("ca", _TLS), ("certificate", ("key",)), ("key", ("certificate",))):
        if not getattr(broker, name) and any(getattr(broker, other) for other in needed_by):
            yield ("missing", f"broker.{name}", "")
    url = settings.headquarters.database
    if url and not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        yield ("database", "headquarters.database", masked(url))


def _missing_files(section: str, settings: msgspec.Struct, *names: str) -> Iterator[Fault]:
    for name in names:
        path = getattr(settings, name)
        if path and not Path(path).is_file():
            yield ("no_file", f"{section}.{name}", path)


def masked(url: str) -> str:
    """A URL without its password."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", url)


def rows(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every setting as it is in force, secrets masked."""
    for section in SECTIONS:
        struct = getattr(settings, section)
        for name in struct.__struct_fields__:
            yield f"{section}.{name}", masked(str(getattr(struct, name)))
