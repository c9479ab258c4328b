"""The only module that names concrete classes: it turns settings into a cabinet whose parts have not started yet."""

from __future__ import annotations

import csv
import os
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from shutil import rmtree
from typing import Any, Final, cast
from wsgiref.types import WSGIApplication

from kiosk.clock import SystemClock
from kiosk.commands import commands
from kiosk.config import FILE, Settings, read
from kiosk.control import Command
from kiosk.domain.access_means import Place
from kiosk.domain.errors import AlreadyInitialised, NotInitialised
from kiosk.domain.identifiers import ItemId
from kiosk.hardware.assembly import Hardware, simulated, wired
from kiosk.hardware.readers import NfcReader
from kiosk.hardware.simulated.cabinet import SimulatedCabinet, TagSpec
from kiosk.hardware.wiring import Wiring, load_wiring
from kiosk.hq.register import CentralRegister
from kiosk.hq.subscriber import Subscriber
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.relay import Relay
from kiosk.papers.signature import PillowSignatures
from kiosk.services.counter import Counter, Inbox, ear
from kiosk.services.custody import CustodyService
from kiosk.services.desk import Desk
from kiosk.services.equipment import Equipment
from kiosk.services.fingerprints import Fingerprints
from kiosk.services.imports import ImportService
from kiosk.services.pins import PinService
from kiosk.services.ports import Clock, Headquarters, Simulation, Sink
from kiosk.store.central import CENTRAL
from kiosk.store.database import Database, one_writer
from kiosk.store.journal import StoredJournal, found_journal
from kiosk.store.local import LocalStore
from kiosk.store.register import StoredRegister
from kiosk.store.tables import CABINET
from web import Demo, Services, create_app

#: What ships with the project for the Raspberry Pi; used unless the settings name other files.
FIRMWARE: Final = Path(__file__).resolve().parent.parent / "firmware_config"
VERSION: Final = version("trousseau")

#: The tags of a simulated cabinet, one a line.
SIMULATION: Final = "simulation.csv"
_LOCK: Final = "writer.lock"
_UID_KEY: Final = "uid.key"
_BADGE_KEY: Final = "badge.key"
_KEY_BYTES: Final = {_UID_KEY: 32, _BADGE_KEY: 16}


@dataclass(frozen=True, slots=True)
class Store:
    """A cabinet's record, opened under the writer's lock, and the use cases on it."""

    journal: StoredJournal
    register: StoredRegister
    local: LocalStore
    fingerprints: Fingerprints
    imports: ImportService
    pins: PinService
    custody: CustodyService


@dataclass(frozen=True, slots=True)
class Cabinet:
    """Everything that `daemon` starts, in this order, and what the commands and the demo reach."""

    settings: Settings
    store: Store
    relay: Relay
    counter: Counter
    readers: tuple[NfcReader, ...]
    app: WSGIApplication
    screen_key: str
    commands: Mapping[str, Command]
    simulation: Simulation | None


# ---- a new cabinet


def initialise(folder: Path, node: str, *, pins: str = "lgpio", settings: str = "") -> Settings:
    """Make a cabinet's folder: settings, keys, an empty journal under a fresh stream.

    Raises:
        AlreadyInitialised: there is one.
        BadSettings: the node's name is not a name.
    """
    if (folder / FILE).exists():
        raise AlreadyInitialised(folder=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / FILE).write_text(f'[cabinet]\nnode = "{node}"\npins = "{pins}"\n{settings}', encoding="utf-8")
    try:
        made = read(folder)
    except Exception:
        (folder / FILE).unlink()
        raise
    for name, length in _KEY_BYTES.items():
        _write_secret(folder / name, secrets.token_bytes(length))
    with one_writer(folder / _LOCK):
        database = _cabinet_database(made)
        try:
            found_journal(database, node, str(uuid.uuid4()))
        finally:
            database.close()
    return made


def discard(folder: Path) -> None:
    """Delete a cabinet's folder with all that it holds.

    Raises:
        WriterBusy: its service is running.
    """
    with one_writer(folder / _LOCK):
        rmtree(folder)


def _write_secret(path: Path, secret: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)


def _cabinet_database(settings: Settings) -> Database:
    return Database(settings.database, CABINET, gapless=True)


# ---- opening what there is


@contextmanager
def opened_store(settings: Settings, clock: Clock) -> Iterator[Store]:
    """Open a cabinet's record for writing.

    Raises:
        NotInitialised: there is no journal yet.
        WriterBusy: another process writes here.
    """
    if not settings.database.exists():
        raise NotInitialised(folder=str(settings.folder))
    with ExitStack() as stack:
        stack.enter_context(one_writer(settings.folder / _LOCK))
        database = _cabinet_database(settings)
        stack.callback(database.close)
        journal = StoredJournal(database, clock)
        register, local = StoredRegister(database, journal.node), LocalStore(database)
        fingerprints = Fingerprints((settings.folder / _UID_KEY).read_bytes())
        imports = ImportService(journal, register, fingerprints)
        yield Store(
            journal,
            register,
            local,
            fingerprints,
            imports,
            PinService(local),
            CustodyService(journal, PillowSignatures()),
        )


@contextmanager
def reading_register(settings: Settings) -> Iterator[StoredRegister]:
    """Open a cabinet's register only to read, beside the running service.

    Raises:
        NotInitialised: there is no journal yet.
    """
    if not settings.database.exists():
        raise NotInitialised(folder=str(settings.folder))
    database = Database(settings.database, (), gapless=True, read_only=True)
    try:
        yield StoredRegister(database, None)
    finally:
        database.close()


@contextmanager
def central_register(settings: Settings) -> Iterator[StoredRegister]:
    """Open headquarters' register to read it."""
    database = Database(settings.central_database, CENTRAL, gapless=False)
    try:
        yield StoredRegister(database, None)
    finally:
        database.close()


@contextmanager
def headquarters(settings: Settings, address: BrokerAddress) -> Iterator[CentralRegister]:
    """Run headquarters: keep what every cabinet sends for as long as the block runs."""
    database = Database(settings.central_database, CENTRAL, gapless=False)
    try:
        subscriber = Subscriber(database, address)
        subscriber.start()
        try:
            yield CentralRegister(database, lambda: subscriber.online)
        finally:
            subscriber.stop()
    finally:
        database.close()


def broker(settings: Settings) -> BrokerAddress:
    """Where the broker is."""
    return BrokerAddress(settings.broker.host, settings.broker.port, cast(Any, settings.broker.protocol))


# ---- the cabinet


@contextmanager
def cabinet(settings: Settings, central: Headquarters | None = None) -> Iterator[Cabinet]:
    """Build the cabinet that the settings describe; nothing has started yet. Its parts are let go in reverse order."""
    clock = SystemClock()
    with ExitStack() as stack:
        store = stack.enter_context(opened_store(settings, clock))
        inbox: Inbox = SimpleQueue()
        hardware = _hardware(settings, store, ear(inbox, clock), stack)
        equipment = Equipment(
            clock=clock,
            journal=store.journal,
            register=store.register,
            visits=store.local,
            preferences=store.local,
            pins=store.pins,
            custody=store.custody,
            door=hardware.door,
            hooks=hardware.hooks,
            signals=hardware.signals,
        )
        counter = Counter(Desk(equipment), clock, inbox)
        relay = Relay(store.journal, store.local, broker(settings), VERSION)
        store.journal.committed = relay.wake
        key = secrets.token_urlsafe(24)
        _write_secret(settings.screen_key, key.encode("ascii"))
        demo = Demo(hardware.simulation, central) if hardware.simulation and central else None
        yield Cabinet(
            settings=settings,
            store=store,
            relay=relay,
            counter=counter,
            readers=hardware.readers,
            app=create_app(Services(counter, store.register, key, demo)),
            screen_key=key,
            commands=commands(store.register, store.pins, store.imports, store.journal.refold, hardware.simulation),
            simulation=hardware.simulation,
        )


def wires(settings: Settings) -> Wiring:
    """Which wire goes where, by the files that the settings name or those that ship with the project.

    Raises:
        BadSettings: with every fault of both files.
    """
    return load_wiring(
        Path(settings.cabinet.pins_file or FIRMWARE / "pins.toml"),
        Path(settings.cabinet.readers_file or FIRMWARE / "readers.toml"),
    )


def _hardware(settings: Settings, store: Store, sink: Sink, stack: ExitStack) -> Hardware:
    badge_key = (settings.folder / _BADGE_KEY).read_bytes()
    wiring = wires(settings)
    if settings.cabinet.pins == "mock":
        simulation = _simulation(settings, wiring, badge_key, store.register)
        stack.callback(simulation.close)
        hardware = simulated(wiring, simulation, sink, store.fingerprints.of, badge_key)
    else:
        hardware = wired(wiring, settings.cabinet.pins, sink, store.fingerprints.of, badge_key)
    stack.callback(hardware.close)
    return hardware


def _simulation(settings: Settings, wiring: Wiring, badge_key: bytes, register: StoredRegister) -> SimulatedCabinet:
    """The simulated cabinet, its keys where the register says that they are."""
    with (settings.folder / SIMULATION).open(encoding="utf-8", newline="") as file:
        tags = [TagSpec(**row | {"hook": row["hook"] or None}) for row in csv.DictReader(file)]
    away = {tag.name for tag in tags if tag.kind == "key" and not _hangs(register, ItemId(tag.name))}
    return SimulatedCabinet(wiring, tags, badge_key, away=away)


def _hangs(register: StoredRegister, item: ItemId) -> bool:
    found = register.item(item)
    return found is not None and found.place is Place.HOOK
