"""The only module that names concrete classes: it turns settings into a cabinet whose parts have not started yet."""

from __future__ import annotations

import csv
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import SimpleQueue
from shutil import rmtree
from typing import Any, Final, cast
from wsgiref.types import WSGIApplication

from kiosk import keys
from kiosk.clock import SystemClock
from kiosk.commands import commands
from kiosk.config import FILE, Settings, masked, read
from kiosk.control import Command
from kiosk.domain.access_means import Place
from kiosk.domain.errors import (
    AlreadyInitialised,
    CentralDatabaseFailed,
    ForeignKey,
    NotInitialised,
    StorageFailed,
)
from kiosk.domain.identifiers import ItemId
from kiosk.hardware.assembly import Hardware, simulated, wired
from kiosk.hardware.readers import NfcReader
from kiosk.hardware.simulated.cabinet import SimulatedCabinet, TagSpec
from kiosk.hardware.wiring import Wiring, load_wiring
from kiosk.hq import quarantine
from kiosk.hq.receipts import CentralReceipts
from kiosk.hq.register import CentralRegister
from kiosk.hq.subscriber import Subscriber
from kiosk.hq.witness import SigningWitness
from kiosk.ledger.checkpoint import WITNESS, origin
from kiosk.ledger.note import Kind, VerifierKey
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.relay import Relay
from kiosk.mqtt.tls import context
from kiosk.papers.signature import PillowSignatures
from kiosk.services.counter import Counter, Inbox, ear
from kiosk.services.custody import CustodyService
from kiosk.services.desk import Desk
from kiosk.services.equipment import Equipment
from kiosk.services.fingerprints import Fingerprints
from kiosk.services.heads import Heads
from kiosk.services.imports import ImportService
from kiosk.services.pins import PinService
from kiosk.services.ports import Clock, Simulation, Sink
from kiosk.services.receipts import JournalReceipts
from kiosk.services.timestamps import timestamp
from kiosk.store import enrolment
from kiosk.store.central import CentralStore
from kiosk.store.database import Database, one_writer
from kiosk.store.enrolment import Enrolment
from kiosk.store.journal import StoredJournal, found_journal
from kiosk.store.local import LocalStore
from kiosk.store.register import StoredRegister
from kiosk.store.stream import Stored
from kiosk.store.supervision import Supervision
from kiosk.store.tables import CABINET, HEADQUARTERS
from web import Demo, Services, create_app

#: What ships with the project for the Raspberry Pi; used unless the settings name other files.
FIRMWARE: Final = Path(__file__).resolve().parent.parent / "firmware_config"
VERSION: Final = version("trousseau")

#: The tags of a simulated cabinet, one a line.
SIMULATION: Final = "simulation.csv"
LOCK: Final = "writer.lock"
_UID_KEY: Final = "uid.key"
_BADGE_KEY: Final = "badge.key"
_KEY_BYTES: Final = {_UID_KEY: 32, _BADGE_KEY: 16}
#: What headquarters has to be told; its values are those in force without them.
_HEADQUARTERS_SETTINGS: Final = '[broker]\nhost = "127.0.0.1"\n\n[headquarters]\ndatabase = ""\n'


@dataclass(frozen=True, slots=True)
class Store:
    """A cabinet's record, opened under the writer's lock, and the use cases on it."""

    journal: StoredJournal
    register: StoredRegister
    local: LocalStore
    fingerprints: Fingerprints
    imports: ImportService
    pins: PinService
    relay: Relay
    custody: CustodyService
    receipts: JournalReceipts


@dataclass(frozen=True, slots=True)
class Cabinet:
    """Everything that `daemon` starts, in this order, and what the commands and the demo reach."""

    settings: Settings
    store: Store
    counter: Counter
    readers: tuple[NfcReader, ...]
    app: WSGIApplication
    screen_key: str
    commands: Mapping[str, Command]
    simulation: Simulation | None


@dataclass(frozen=True, slots=True)
class Central:
    """Headquarters at work, as the demonstration looks into it."""

    register: CentralRegister
    receipts: CentralReceipts


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
        keys.write_secret(folder / name, secrets.token_bytes(length))
    stream = str(uuid.uuid4())
    with one_writer(folder / LOCK):
        database = _cabinet_database(made)
        try:
            found_journal(database, node, stream)
        finally:
            database.close()
    keys.make(folder, keys.LOG_KEY, origin(node, stream), Kind.ED25519)
    return made


def initialise_headquarters(folder: Path) -> None:
    """Make headquarters' signing key, and its settings where there are none.

    Raises:
        KeyExists: there is one, and cabinets trust it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keys.make(folder, keys.WITNESS_KEY, WITNESS, Kind.COSIGNATURE)
    if not (folder / FILE).exists():
        (folder / FILE).write_text(_HEADQUARTERS_SETTINGS, encoding="utf-8")


def discard(folder: Path) -> None:
    """Delete a cabinet's folder with all that it holds.

    Raises:
        WriterBusy: its service is running.
    """
    with one_writer(folder / LOCK):
        rmtree(folder)


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
        stack.enter_context(one_writer(settings.folder / LOCK))
        database = _cabinet_database(settings)
        stack.callback(database.close)
        journal = StoredJournal(database, clock)
        # A restore may have been cut short after its new database was in place.
        keys.take_up(settings.folder, journal.stream)
        register, local = StoredRegister(database, journal.node), LocalStore(database)
        fingerprints = Fingerprints((settings.folder / _UID_KEY).read_bytes())
        heads = _heads(settings, journal)
        relay = Relay(journal, local, broker(settings), VERSION, heads)
        yield Store(
            journal,
            register,
            local,
            fingerprints,
            ImportService(journal, register, fingerprints),
            PinService(local),
            relay,
            CustodyService(journal, PillowSignatures(), relay),
            JournalReceipts(journal, local, heads),
        )


def _heads(settings: Settings, journal: StoredJournal) -> Heads:
    name, own = origin(journal.node, journal.stream), keys.secret(settings.folder, keys.LOG_KEY)
    if any(key.verifier.name != name for key in own):
        raise ForeignKey(path=str(settings.folder / keys.LOG_KEY))
    return Heads(name, own, keys.Trust(settings.folder))


@contextmanager
def reading_receipts(settings: Settings) -> Iterator[JournalReceipts]:
    """Make receipts and exports beside the running service.

    Raises:
        NotInitialised: there is no journal yet.
    """
    with _reading(settings) as database:
        journal = StoredJournal(database, SystemClock())
        yield JournalReceipts(journal, LocalStore(database), _heads(settings, journal))


@contextmanager
def reading_register(settings: Settings) -> Iterator[StoredRegister]:
    """Open a cabinet's register only to read, beside the running service.

    Raises:
        NotInitialised: there is no journal yet.
    """
    with _reading(settings) as database:
        yield StoredRegister(database, None)


@contextmanager
def _reading(settings: Settings) -> Iterator[Database]:
    if not settings.database.exists():
        raise NotInitialised(folder=str(settings.folder))
    database = Database(settings.database, (), gapless=True, read_only=True)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def central_database(settings: Settings) -> Iterator[Database]:
    """Open headquarters' database for a command.

    Raises:
        CentralDatabaseFailed: it does not answer, or does not let us make our tables.
    """
    with _central_errors(settings):
        database = _central_database(settings)
        try:
            yield database
        finally:
            database.close()


def _central_database(settings: Settings) -> Database:
    return Database(settings.central_database, HEADQUARTERS, gapless=False)


@contextmanager
def _central_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except StorageFailed as e:
        # What the driver says of it: the server's own words name the remedy best.
        reason = str(getattr(e.__cause__, "orig", e)).partition("\n")[0]
        raise CentralDatabaseFailed(database=masked(str(settings.central_database)), reason=reason) from e


def enrol_cabinet(settings: Settings, public: Iterable[VerifierKey]) -> Enrolment:
    """Let a cabinet in at headquarters by the public keys that its journal is signed with now; no other counts any more."""
    with central_database(settings) as database:
        return enrolment.enrol(database, public, timestamp(SystemClock().now().time))


def close_log(settings: Settings, origin: str) -> Sequence[VerifierKey]:
    """Take in nothing more of a journal at headquarters; returns the keys that count no longer.

    Raises:
        NotLetIn: there is no such journal, or it is closed already.
    """
    with central_database(settings) as database:
        return enrolment.close_log(database, origin, timestamp(SystemClock().now().time))


def verifier_keys(settings: Settings) -> Sequence[VerifierKey]:
    """What a verifier needs: the keys of every journal that was let in, and headquarters' own; former ones too."""
    with central_database(settings) as database:
        return [*enrolment.every_log_key(database), *keys.witnesses(keys.public(settings.folder))]


@contextmanager
def supervision(settings: Settings) -> Iterator[Supervision]:
    """Look after headquarters: cabinets, alarms, quarantine."""
    with central_database(settings) as database:
        yield Supervision(database)


def release(settings: Settings, id_: int) -> Stored:
    """Place a message of the quarantine as if it had come now.

    Raises:
        KeyMissing: headquarters has no signing key.
        NotQuarantined, NotPlaced: as in `kiosk.hq.quarantine.release`.
    """
    witness = SigningWitness(keys.secret(settings.folder, keys.WITNESS_KEY))
    at = timestamp(SystemClock().now().time)
    with central_database(settings) as database:
        return quarantine.release(CentralStore(database, witness), Supervision(database), id_, at)


@contextmanager
def central_receipts(settings: Settings) -> Iterator[CentralReceipts]:
    """Make receipts and exports from headquarters' copy."""
    with central_database(settings) as database:
        yield CentralReceipts(database)


@contextmanager
def central_register(settings: Settings) -> Iterator[StoredRegister]:
    """Open headquarters' register to read it."""
    with central_database(settings) as database:
        yield StoredRegister(database, None)


@contextmanager
def headquarters(settings: Settings, address: BrokerAddress) -> Iterator[Central]:
    """Run headquarters: keep what every cabinet sends for as long as the block runs.

    Raises:
        KeyMissing: headquarters has no signing key.
        CentralDatabaseFailed: its database does not answer when it starts; later it is waited for.
    """
    witness = SigningWitness(keys.secret(settings.folder, keys.WITNESS_KEY))
    with _central_errors(settings):
        database = _central_database(settings)
    with closing(database):
        subscriber = Subscriber(database, address, witness)
        subscriber.start()
        try:
            yield Central(CentralRegister(database, lambda: subscriber.online), CentralReceipts(database))
        finally:
            subscriber.stop()


def broker(settings: Settings) -> BrokerAddress:
    """Where the broker is, and how it and we prove who we are.

    Raises:
        BadSettings: a file holds no certificate or key that can be used.
    """
    given = settings.broker
    tls = context(given.ca, given.certificate, given.key) if given.ca else None
    return BrokerAddress(given.host, given.port, cast(Any, given.protocol), tls)


# ---- the cabinet


@contextmanager
def cabinet(settings: Settings, central: Central | None = None) -> Iterator[Cabinet]:
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
            witness=store.relay,
        )
        counter = Counter(Desk(equipment), clock, inbox)
        store.journal.committed = store.relay.wake
        key = secrets.token_urlsafe(24)
        keys.write_secret(settings.screen_key, key.encode("ascii"))
        demo = _demo(settings, hardware.simulation, central) if hardware.simulation and central else None
        yield Cabinet(
            settings=settings,
            store=store,
            counter=counter,
            readers=hardware.readers,
            app=create_app(Services(counter, store.register, key, demo)),
            screen_key=key,
            commands=commands(store.register, store.pins, store.imports, store.journal.refold, hardware.simulation),
            simulation=hardware.simulation,
        )


def _demo(settings: Settings, simulation: Simulation, central: Central) -> Demo:
    believed = (settings.folder / keys.VERIFIER_KEYS).read_text(encoding="utf-8")
    return Demo(simulation, central.register, central.receipts, believed)


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
