"""The demonstration: an invented company's register, a simulated cabinet and headquarters, all running for real."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

from kiosk import keys
from kiosk.bootstrap import (
    SIMULATION,
    Cabinet,
    Store,
    cabinet,
    discard,
    enrol_cabinet,
    headquarters,
    initialise,
    initialise_headquarters,
    opened_store,
)
from kiosk.clock import SystemClock
from kiosk.config import FILE, Settings, read
from kiosk.daemon import WebServer, running
from kiosk.domain.custody import Act
from kiosk.domain.errors import NotADemo
from kiosk.domain.identifiers import ItemId, PersonId, VisitId
from kiosk.domain.people import Language, Tier
from kiosk.domain.statements import Article, statement
from kiosk.mqtt.broker import EmbeddedBroker, start_broker
from kiosk.mqtt.client import BrokerAddress
from kiosk.services.commands import new_command
from kiosk.services.custody import Piece, Visitor
from kiosk.services.ports import Reading, Strokes
from kiosk.services.sheets import plain

NODE: Final = "armoire-1"
_HERE: Final = Path(__file__).parent
PEOPLE: Final = _HERE / "people.csv"
ITEMS: Final = _HERE / "items.csv"

#: PINs of the people who need one here: the badge proves little, or they manage.
PINS: Final = {
    "Thomas Lefèvre": "2468",
    "Camille Roux": "1357",
    "Sophie Garnier": "1470",
    "Marc Delattre": "3690",
    "Inès Fontaine": "8520",
}
#: What was taken before the demonstration begins: who, which, and how many hours ago.
TAKEN: Final = (
    ("Julien Morel", ("T-011", "T-012"), 51),
    ("Aïcha Diallo", ("T-020",), 27),
    ("Julien Morel", ("T-028", "T-029"), 26),
    ("Camille Roux", ("T-016",), 3),
)


class PastClock(SystemClock):
    """The machine's clock, `ago` earlier: the demonstration's register has a past."""

    def __init__(self) -> None:
        super().__init__()
        self.ago = timedelta(days=90)

    def now(self) -> Reading:
        """Read the clocks."""
        reading = super().now()
        return replace(reading, time=reading.time - self.ago)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The running demonstration."""

    cabinet: Cabinet
    web: WebServer
    broker: EmbeddedBroker


def prepare(folder: Path, screen_port: int, broker: BrokerAddress) -> Settings:
    """Make the demonstration's cabinet in `folder`, anew.

    Raises:
        NotADemo: the folder holds a real cabinet, which is never thrown away.
        WriterBusy: a demonstration is running there.
    """
    if (folder / FILE).exists():
        if read(folder).cabinet.pins != "mock":
            raise NotADemo(folder=str(folder))
        discard(folder)
    settings = initialise(
        folder,
        NODE,
        pins="mock",
        settings=f'\n[screen]\nport = {screen_port}\n\n[broker]\nport = {broker.port}\nprotocol = "{broker.protocol}"\n',
    )
    initialise_headquarters(folder)
    enrol_cabinet(settings, keys.own(folder, keys.LOG_KEY))
    keys.trust(folder, keys.own(folder, keys.WITNESS_KEY))
    _write_tags(folder / SIMULATION)
    clock = PastClock()
    with opened_store(settings, clock) as store:
        store.imports.people(new_command(), PEOPLE.read_bytes(), _no_progress)
        store.imports.items(new_command(), ITEMS.read_bytes(), _no_progress)
        persons = store.register.directory().persons
        for name, pin in PINS.items():
            store.pins.set(persons[plain(name)], pin)
        for name, items, hours in TAKEN:
            clock.ago = timedelta(hours=hours)
            _take(store, persons[plain(name)], name, [ItemId(item) for item in items])
    return settings


@contextmanager
def demonstration(folder: Path, screen_port: int) -> Iterator[Demonstration]:
    """Start broker, headquarters and cabinet, on loopback; end them in reverse order."""
    with ExitStack() as stack:
        scratch = stack.enter_context(TemporaryDirectory(prefix="trousseau-"))
        broker = start_broker(Path(scratch))
        stack.callback(broker.stop)
        settings = prepare(folder, screen_port, broker.address)
        central = stack.enter_context(headquarters(settings, broker.address))
        made = stack.enter_context(cabinet(settings, central))
        yield Demonstration(made, stack.enter_context(running(made)), broker)


def _write_tags(path: Path) -> None:
    """What the hands at the simulated cabinet can hold: everybody's badge, and every key that is still ours."""
    with path.open("w", encoding="utf-8", newline="") as file:
        tags = csv.writer(file)
        tags.writerow(("name", "kind", "label", "uid", "medium", "hook"))
        tags.writerows(_badges())
        tags.writerows(_keys())


def _badges() -> Iterator[Sequence[str]]:
    for row in _rows(PEOPLE):
        name = row["nom"]
        label = f"{name} · PIN {PINS[name]}" if name in PINS else name
        medium = "ntag424" if row["badge"] == "authentifié" else "uid_only"
        yield plain(name).split()[0], "badge", label, row["uid"], medium, ""


def _keys() -> Iterator[Sequence[str]]:
    for row in _rows(ITEMS):
        if row["état"] != "restitué":
            yield row["identifiant"], "key", row["désignation"], row["uid"], "ntag213", row["crochet"]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _take(store: Store, person: PersonId, name: str, items: Sequence[ItemId]) -> None:
    found = store.register.person(person)
    assert found is not None
    lines = store.register.lines_of(items)
    articles = [Article(line.item.id, line.designation, line.client, line.site) for line in lines]
    store.custody.sign(
        new_command(),
        Visitor(found, VisitId(str(uuid4())), Tier.AUTHENTICATED),
        [Piece(item, Act.TAKE, sensed=False) for item in items],
        statement(Language.FR, name, {Act.TAKE: articles}).text,
        scribble(),
    )


def scribble() -> Strokes:
    """A signature for somebody who does not exist: loops, and a line under them."""
    loops = tuple((20 + 2.6 * t, 70 + 38 * math.sin(t / 5) * math.cos(t / 17)) for t in range(100))
    line = tuple((40.0 + 12 * t, 125.0 - t) for t in range(16))
    return Strokes(320, 160, (loops, line))


def _no_progress(_done: int, _total: int) -> None:
    """Nobody is watching."""
