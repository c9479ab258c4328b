"""A cabinet of a test's own: real store on a temporary folder, real desk, real door, hooks and signals on simulated pins.

Only the clock is set by hand. Hands move the pins, then tell the desk what the product's own debouncer would tell it.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from kiosk.bootstrap import Store, initialise, opened_store
from kiosk.config import Settings, read
from kiosk.domain.access_means import AccessMeans
from kiosk.domain.events import BadgeRevoked, PersonEnrolled, PersonLeft
from kiosk.domain.fold import Line
from kiosk.domain.identifiers import HookId, ItemId, PersonId, TagId
from kiosk.domain.people import Language, Tier
from kiosk.hardware.door import LockedDoor
from kiosk.hardware.hooks import SwitchedHooks
from kiosk.hardware.signals import FrontSignals
from kiosk.hardware.simulated.pins import WiredFactory
from kiosk.hardware.wiring import HookPins
from kiosk.ledger.entry import NO_ENTRY, Entry, digest, unseal
from kiosk.papers.signature import PillowSignatures
from kiosk.services.codec import profile
from kiosk.services.commands import new_command
from kiosk.services.custody import CustodyService
from kiosk.services.desk import Desk
from kiosk.services.equipment import Equipment
from kiosk.services.front import Press, Screen, Sign, Step
from kiosk.services.patience import SECOND
from kiosk.services.ports import (
    DoorChanged,
    HookChanged,
    InventoryFilter,
    Point,
    Reading,
    Report,
    Strokes,
    Tap,
    Trouble,
    Witnessed,
)
from kiosk.services.sheets import plain

NODE: Final = "armoire-7"
MONDAY: Final = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

#: Two who take keys, one whose badge proves little, one who only manages, one who does both, and some who may not.
PEOPLE: Final = """\
nom;rôles;uid;badge
Nadia Benali;technicien;04A1B2C3D4E501;authentifié
Julien Morel;technicien;04A1B2C3D4E502;authentifié
Thomas Lefèvre;technicien;5A6B7C01;identifiant
Sophie Garnier;personne en charge;04A1B2C3D4E504;authentifié
Camille Roux;technicien + responsable d’exploitation;04A1B2C3D4E505;authentifié
Paul Parti;technicien;04A1B2C3D4E506;authentifié
Rosa Révoquée;technicien;04A1B2C3D4E507;authentifié
Zoé Sansrole;technicien;04A1B2C3D4E508;authentifié
Yann Sanscode;technicien;5A6B7C09;identifiant
"""
#: The uids of badges, by first name.
BADGES: Final = {
    "nadia": "04A1B2C3D4E501",
    "julien": "04A1B2C3D4E502",
    "thomas": "5A6B7C01",
    "sophie": "04A1B2C3D4E504",
    "camille": "04A1B2C3D4E505",
    "paul": "04A1B2C3D4E506",
    "rosa": "04A1B2C3D4E507",
    "zoe": "04A1B2C3D4E508",
    "yann": "5A6B7C09",
}
NAMES: Final = {"nadia": "Nadia Benali", "julien": "Julien Morel", "thomas": "Thomas Lefèvre"}
PIN: Final = "2468"
WITH_PIN: Final = ("thomas", "sophie", "camille")

ITEMS: Final = """\
identifiant;client;site;type;désignation;personne en charge;date de réception;état;crochet;uid
K-1;Clinique Saint-Roch;Bâtiment A;clé mécanique;Chaufferie;Sophie Garnier;2025-03-03;en service;01;04B10000000001
K-2;Clinique Saint-Roch;Bâtiment A;clé à code;Local serveurs;Sophie Garnier;2025-03-03;en service;02;04B10000000002
K-3;Mairie d’Aubry;Hôtel de ville;badge;Badge astreinte;Sophie Garnier;2025-03-03;en service;03;04B10000000003
K-17;Mairie d’Aubry;Écoles;clé maîtresse;Passe général;Sophie Garnier;2025-03-03;en service;17;04B10000000017
K-HQ;Mairie d’Aubry;Écoles;clé mécanique;Coffre;Sophie Garnier;2025-03-03;en service;;04B100000000A0
K-LOST;Mairie d’Aubry;Écoles;clé mécanique;Portail;Sophie Garnier;2025-03-03;perdu;04;04B100000000B0
K-BACK;Mairie d’Aubry;Écoles;clé mécanique;Grille;Sophie Garnier;2025-03-03;restitué;;04B100000000C0
"""
KEYS: Final = {
    "K-1": "04B10000000001",
    "K-2": "04B10000000002",
    "K-3": "04B10000000003",
    "K-17": "04B10000000017",
    "K-HQ": "04B100000000A0",
    "K-LOST": "04B100000000B0",
    "K-BACK": "04B100000000C0",
}
#: Hook 17 has no switch, hook 03 no light.
HOOKS: Final = {
    HookId("01"): HookPins(4, 5),
    HookId("02"): HookPins(6, 7),
    HookId("03"): HookPins(8),
    HookId("04"): HookPins(10, 11),
}
#: What hangs where, in the morning.
HANGING: Final = frozenset({HookId("01"), HookId("02"), HookId("03")})
LOCK, CONTACT, BUZZER, GREEN, RED = 17, 27, 22, 23, 24

#: A drawing that somebody could have made.
LOOPS: Final[tuple[Point, ...]] = tuple((20.0 + 9 * n, 80.0 + 40 * (-1) ** n) for n in range(24))
SIGNATURE: Final = Strokes(320, 160, (LOOPS,))


def no_progress(_done: int, _total: int) -> None:
    """Nobody is watching."""


class FakeClock:
    """Time passes when the test says so; both clocks together, unless somebody sets the wall clock."""

    def __init__(self, time: datetime = MONDAY) -> None:
        self.time = time
        self.monotonic = 1_000 * SECOND
        self.boot = "11111111-2222-3333-4444-555555555555"

    def now(self) -> Reading:
        """Read the clocks."""
        return Reading(self.time, self.monotonic, self.boot)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)
        self.monotonic += round(seconds * SECOND)

    def set_wall_clock(self, by: timedelta) -> None:
        """Set the wall clock forward or back; the monotonic one does not notice."""
        self.time += by


class ToldWitness:
    """Headquarters, which has seen what the test says; nothing at first."""

    def __init__(self) -> None:
        self.view = Witnessed(0, None, False, None)

    def sees(self, size: int, at: datetime, *, online: bool = True) -> None:
        """Headquarters has seen this many entries."""
        self.view = Witnessed(size, at, online, None)

    def objects(self, trouble: Trouble) -> None:
        """Something is wrong between the journal and headquarters."""
        self.view = replace(self.view, trouble=trouble)


class CountedDoor(LockedDoor):
    """The real door; how often it was released is counted, and `before` runs first."""

    def __init__(self, pins: WiredFactory, sink: Callable[[Report], None]) -> None:
        super().__init__(LOCK, CONTACT, sink, pins, pulse=0.005, settle=0.01)
        self.pulses = 0
        self.before: Callable[[], None] = _nothing

    def release(self) -> None:
        """Pulse the lock."""
        self.before()
        self.pulses += 1
        super().release()


class HeardSignals(FrontSignals):
    """The real signals; what they said is kept by name."""

    def __init__(self, pins: WiredFactory) -> None:
        super().__init__(GREEN, RED, BUZZER, pins)
        self.heard: list[str] = []

    def accepted(self) -> None:
        """The record is durable."""
        self.heard.append("accepted")
        super().accepted()

    def refused(self) -> None:
        """Nothing has changed."""
        self.heard.append("refused")
        super().refused()

    def error(self) -> None:
        """Something is wrong."""
        self.heard.append("error")
        super().error()


class Front:
    """Door, hooks, lights and buzzer, on simulated pins. One serves test after test, as taking and giving back pins is slow."""

    def __init__(self) -> None:
        self.pins = WiredFactory()
        self.door = CountedDoor(self.pins, _to_nobody)
        self.hooks = SwitchedHooks(HOOKS, _to_nobody, self.pins, settle=0.01)
        self.signals = HeardSignals(self.pins)

    def reset(self, hanging: frozenset[HookId]) -> None:
        """Shut the door, hang the keys, put out the lights, forget what was."""
        self.pins.wired(CONTACT).ground(True)
        for hook, pins in HOOKS.items():
            self.pins.wired(pins.switch).ground(hook in hanging)
        self.hooks.light(frozenset())
        self.door.pulses, self.door.before = 0, _nothing
        self.signals.heard.clear()

    @property
    def lit(self) -> set[str]:
        """The hooks that are lit."""
        return {hook for hook, pins in HOOKS.items() if pins.led is not None and self.pins.wired(pins.led).is_high}

    def close(self) -> None:
        """Give the pins back."""
        for number in (CONTACT, *(pins.switch for pins in HOOKS.values())):
            # gpiozero ends a button's thread at once only while the button is not pressed.
            self.pins.wired(number).ground(False)
        for part in (self.door, self.hooks, self.signals):
            part.close()
        self.pins.close()


class House:
    """A furnished cabinet in a folder, and somebody's hands at it."""

    def __init__(
        self, folder: Path, front: Front, clock: FakeClock | None = None, hanging: frozenset[HookId] = HANGING
    ) -> None:
        self.folder = folder
        self.clock = clock or FakeClock()
        self.witness = ToldWitness()
        self.front = front
        self.pins, self.door, self.hooks, self.signals = front.pins, front.door, front.hooks, front.signals
        front.reset(hanging)
        self._begin()

    def _begin(self) -> None:
        self._stack = ExitStack()
        self.settings: Settings = read(self.folder)
        self.store: Store = self._stack.enter_context(opened_store(self.settings, self.clock))
        self.desk = Desk(self.equipment())

    def equipment(self) -> Equipment:
        """What the desk works with."""
        return Equipment(
            clock=self.clock,
            journal=self.store.journal,
            register=self.store.register,
            visits=self.store.local,
            preferences=self.store.local,
            pins=self.store.pins,
            custody=CustodyService(self.store.journal, PillowSignatures(), self.witness),
            door=self.door,
            hooks=self.hooks,
            signals=self.signals,
            witness=self.witness,
        )

    # ---- starting and ending

    def restart(self, boot: str = "99999999-2222-3333-4444-555555555555") -> None:
        """Stop the service as a power cut does, and start it again; the keys hang where they hung."""
        self._stack.close()
        self.clock.boot = boot
        self._begin()
        self.desk.resume()

    def close(self) -> None:
        """Stop the service; the front stays."""
        self._stack.close()

    # ---- hands

    def badge(self, name: str, tier: Tier | None = None) -> None:
        """Hold a badge to the reader; it proves what its kind proves unless said otherwise."""
        proves = Tier.AUTHENTICATED if len(BADGES[name]) > 8 else Tier.IDENTIFIER_ONLY
        self.desk.report(Tap("desk", self.tag(BADGES[name]), tier or proves))

    def key(self, *names: str) -> None:
        """Hold keys to the reader, one after another."""
        for name in names:
            self.desk.report(Tap("desk", self.tag(KEYS[name]), Tier.IDENTIFIER_ONLY))

    def tag(self, uid: str) -> TagId:
        """What a uid is known by."""
        return self.store.fingerprints.of(bytes.fromhex(uid))

    def hook(self, name: str, occupied: bool) -> None:
        """Hang something on a hook, or lift it off."""
        self.pins.wired(HOOKS[HookId(name)].switch).ground(occupied)
        self.desk.report(HookChanged(HookId(name), occupied))

    def lift(self, name: str) -> None:
        """Lift the key off a hook."""
        self.hook(name, False)

    def hang(self, name: str) -> None:
        """Hang the key on a hook."""
        self.hook(name, True)

    def open_door(self) -> None:
        """The released door springs open."""
        self._move_door(True)

    def close_door(self) -> None:
        """Push the door shut."""
        self._move_door(False)

    def _move_door(self, is_open: bool) -> None:
        self.pins.wired(CONTACT).ground(not is_open)
        self.desk.report(DoorChanged(is_open))

    # ---- fingers

    @property
    def screen(self) -> Screen:
        """What is shown."""
        return self.desk.screen

    @property
    def step(self) -> Step:
        """Where the visit stands."""
        return self.desk.screen.step

    def at(self, step: Step) -> bool:
        """Whether the visit stands there."""
        return self.step is step

    def speaks(self, language: Language) -> bool:
        """Whether the screen is in this language."""
        return self.screen.language is language

    @property
    def notice(self) -> str:
        """The message over the screen, by its code; empty without one."""
        return "" if self.desk.screen.notice is None else self.desk.screen.notice.code

    @property
    def basket(self) -> list[str]:
        """The keys shown for signing."""
        return [line.item for line in self.desk.screen.basket]

    def press(self, press: Press, token: str | None = None) -> None:
        """Press a button of the present screen."""
        self.desk.press(self.screen.token if token is None else token, press)

    def statement(self) -> str:
        """The statement on the screen."""
        assert self.screen.statement is not None
        return self.screen.statement.text

    def sign(self, strokes: Strokes = SIGNATURE) -> None:
        """Draw a signature and press « Valider »."""
        self.press(Sign(strokes, self.statement()))

    def wait(self, seconds: float) -> None:
        """Let time pass as the desk's thread does: it wakes when something is due."""
        end = self.clock.monotonic + round(seconds * SECOND)
        while (due := self.desk.next_tick) is not None and due <= end:
            self.clock.advance(max(0, due - self.clock.monotonic) / SECOND)
            self.desk.tick()
        self.clock.advance((end - self.clock.monotonic) / SECOND)

    # ---- whole visits

    def enter(self, name: str) -> None:
        """Badge, and the door springs open."""
        self.badge(name)
        assert self.step is Step.OPEN, self.screen
        self.open_door()

    def leave(self) -> None:
        """Push the door shut and go."""
        self.close_door()
        self.wait(4)
        assert self.step is Step.IDLE, self.screen

    def leave_by_closing(self) -> None:
        """Open and shut the door without having touched anything."""
        self.open_door()
        self.close_door()
        assert self.step is Step.IDLE, self.screen

    def take(self, name: str, *keys: str) -> None:
        """A whole take."""
        self.enter(name)
        for key in keys:
            self._at_hook(key, False)
            self.key(key)
        self.sign()
        self.leave()

    def give_back(self, name: str, *keys: str) -> None:
        """A whole return."""
        self.enter(name)
        for key in keys:
            self.key(key)
            self._at_hook(key, True)
        self.sign()
        self.leave()

    def _at_hook(self, key: str, occupied: bool) -> None:
        hook = self.item(key).hook
        if hook in HOOKS:
            self.hook(hook, occupied)

    # ---- the record

    def item(self, name: str) -> AccessMeans:
        """A line of the register."""
        found = self.store.register.item(ItemId(name))
        assert found is not None
        return found

    def person(self, name: str) -> PersonId:
        """A person's id by first name."""
        badge = self.store.register.badge(self.tag(BADGES[name]))
        assert badge is not None
        return badge.person

    def entries(self, after: int = 0) -> list[Entry]:
        """The journal, or what followed an entry."""
        return [unseal(body) for body in self.bodies()][after:]

    def bodies(self) -> list[bytes]:
        """The journal's bytes."""
        return self.store.journal.read(0, 10_000)

    def types(self, after: int = 0) -> list[str]:
        """The types of entries, in order."""
        return [entry.type for entry in self.entries(after)]

    def custody(self, key: str) -> list[str]:
        """What happened to a key since it was received."""
        return [entry.type for entry in self.entries() if entry.subject == key][1:]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What another process reads in the database: what is committed, and only that."""
        with closing(sqlite3.connect(self.settings.database)) as connection:
            return connection.execute(query).fetchall()

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self.store.journal.size()


def _nothing() -> None:
    """Nothing comes before the pulse."""


def _to_nobody(_: Report) -> None:
    """The test tells the desk itself, at once and in order."""


def chain_holds(bodies: Sequence[bytes]) -> bool:
    """Whether every entry names the one before it, from the first on."""
    prev = NO_ENTRY
    for sequence, body in enumerate(bodies, 1):
        entry = unseal(body)
        if (entry.prev, entry.sequence) != (prev, sequence):
            return False
        prev = digest(body)
    return True


def register_of(store: Store) -> list[Line]:
    """Every line of the register that people can see."""
    page = store.register.inventory(InventoryFilter(), 1, 10_000)
    return [*store.register.persons(), *(line.item for line in page.lines)]


def refolds_to_itself(store: Store) -> bool:
    """Whether the register is what its journal folds to."""
    before = register_of(store)
    store.journal.refold(no_progress)
    return register_of(store) == before


def furnish(folder: Path) -> None:
    """Make a cabinet with its people and access means, as an administrator does."""
    settings = initialise(folder, NODE, pins="mock")
    with opened_store(settings, FakeClock(MONDAY - timedelta(days=30))) as store:
        store.imports.people(new_command(), PEOPLE.encode(), no_progress)
        store.imports.items(new_command(), ITEMS.encode(), no_progress)
        persons = store.register.directory().persons
        for name in WITH_PIN:
            store.pins.set(_named(persons, name), PIN)
        _spoil(store, persons)


def _spoil(store: Store, persons: Mapping[str, PersonId]) -> None:
    """Somebody has left, a badge is revoked, somebody has no role: nobody can be imported like that."""
    with store.journal.act(new_command(), "operator") as act:
        act.record(PersonLeft(person=_named(persons, "paul")))
        act.record(BadgeRevoked(badge=store.fingerprints.of(bytes.fromhex(BADGES["rosa"]))))
        none = act.keep(profile(name="Zoé Sansrole"))
        act.record(PersonEnrolled(person=_named(persons, "zoe"), roles=(), profile=none))


def _named(persons: Mapping[str, PersonId], first_name: str) -> PersonId:
    return next(id_ for name, id_ in persons.items() if name.startswith(plain(first_name)))


def moved_in(template: Path, folder: Path, front: Front) -> House:
    """A house in a copy of a furnished folder."""
    shutil.copytree(template, folder)
    return House(folder, front)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A furnished cabinet's folder, to be copied."""
    folder = tmp_path_factory.mktemp("furnished") / "cabinet"
    furnish(folder)
    return folder


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    """The hardware, one for all tests of a worker."""
    made = Front()
    yield made
    made.close()


@pytest.fixture
def house(furnished: Path, tmp_path: Path, front: Front) -> Iterator[House]:
    """A furnished cabinet of the test's own."""
    made = moved_in(furnished, tmp_path / "cabinet", front)
    yield made
    made.close()
