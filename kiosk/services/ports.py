"""What the use cases need of the world, each as narrow as it can be. Adapters fill these; `bootstrap` chooses which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from kiosk.domain.access_means import AccessMeans, Place, State
from kiosk.domain.custody import Act
from kiosk.domain.events import Event
from kiosk.domain.identifiers import (
    ClientId,
    CommandId,
    Digest,
    HookId,
    ItemId,
    PersonId,
    SiteId,
    TagId,
    Timestamp,
    VisitId,
)
from kiosk.domain.people import Badge, Client, Language, Person, Site, Tier
from kiosk.ledger.merkle import Frontier

# ---- time


@dataclass(frozen=True, slots=True)
class Reading:
    """A look at the clocks: wall time (aware, UTC), nanoseconds since boot, and which boot."""

    time: datetime
    monotonic: int
    boot: str


class Clock(Protocol):
    """The only place where time comes from."""

    def now(self) -> Reading:
        """Read the clocks."""
        ...


# ---- what the hardware reports to the desk


@dataclass(frozen=True, slots=True)
class Tap:
    """A badge or a key's tag was read. `tag` is the keyed hash of its UID, `tier` what it has proved."""

    reader: str
    tag: TagId
    tier: Tier


class TapFault(StrEnum):
    """Why a tap failed; the value is the name of the refusal that the desk shows."""

    TORN = "TornTap"
    SEVERAL = "SeveralTags"
    RANDOM = "RandomIdentifier"


@dataclass(frozen=True, slots=True)
class TapFailed:
    """Something lay on the reader that could not be read: it left too soon, two at once, or a random identifier."""

    reader: str
    cause: TapFault


@dataclass(frozen=True, slots=True)
class ReaderChanged:
    """A reader came up, or was lost."""

    reader: str
    up: bool


@dataclass(frozen=True, slots=True)
class HookChanged:
    """A hook's switch closed under a key, or opened."""

    hook: HookId
    occupied: bool


@dataclass(frozen=True, slots=True)
class DoorChanged:
    """The door's contact opened or closed."""

    open: bool


Report = Tap | TapFailed | ReaderChanged | HookChanged | DoorChanged
Sink = Callable[[Report], None]
"""Where the hardware's threads put their reports; never blocks, never raises."""


# ---- what the desk asks of the hardware


@runtime_checkable
class Door(Protocol):
    """The cabinet's door. Opening is momentary; the contact tells what really happened."""

    def release(self) -> None:
        """Pulse the lock. Call only after the opening has been committed."""
        ...

    @property
    def is_open(self) -> bool:
        """What the contact says."""
        ...


@runtime_checkable
class Hooks(Protocol):
    """The hooks that have a switch and a light. A hook that is not among them can only be believed."""

    @property
    def sensed(self) -> Mapping[HookId, bool]:
        """Every hook with a switch, and whether something hangs on it now."""
        ...

    def light(self, hooks: frozenset[HookId]) -> None:
        """Light exactly these hooks; hooks without a light are passed over."""
        ...


@runtime_checkable
class Signals(Protocol):
    """Light and sound at the front. None of these blocks."""

    def seen(self) -> None:
        """A tag entered the field; given by the reader's own thread, before anything is decided."""
        ...

    def accepted(self) -> None:
        """The record is durable."""
        ...

    def refused(self) -> None:
        """Nothing has changed."""
        ...

    def error(self) -> None:
        """The cabinet cannot do its work, or something is wrong with a key or the door."""
        ...


# ---- the record


class Lines(Protocol):
    """The register's lines by name; inside an act, as they stand within its transaction."""

    def client(self, id_: ClientId) -> Client | None:
        """A client by id."""
        ...

    def site(self, id_: SiteId) -> Site | None:
        """A site by id."""
        ...

    def person(self, id_: PersonId) -> Person | None:
        """A person by id."""
        ...

    def badge(self, tag: TagId) -> Badge | None:
        """A badge by the keyed hash of its UID."""
        ...

    def item(self, id_: ItemId) -> AccessMeans | None:
        """An access means by its unique identifier."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry that is durably in the journal."""

    sequence: int
    subject: str
    type: str
    digest: str
    time: Timestamp


class ActInProgress(Protocol):
    """One command's transaction: all of it is recorded, or none."""

    @property
    def lines(self) -> Lines:
        """The register as it stands within this transaction."""
        ...

    @property
    def done(self) -> bool:
        """Whether this command was recorded before; then nothing needs doing."""
        ...

    @property
    def recorded(self) -> Sequence[Recorded]:
        """What this command has recorded, now or before."""
        ...

    def keep(self, content: bytes) -> Digest:
        """Keep a document beside the ledger under the digest of a fresh salt and its content."""
        ...

    def record(self, event: Event) -> None:
        """Append an entry and fold it into the register."""
        ...


class Journal(Protocol):
    """The append-only record."""

    @property
    def node(self) -> str:
        """Which cabinet's it is."""
        ...

    @property
    def stream(self) -> str:
        """Which of the cabinet's logs is being written."""
        ...

    def act(self, command: CommandId, actor: str) -> AbstractContextManager[ActInProgress]:
        """Open the transaction of one command; leaving it normally commits, an exception rolls back.

        Raises:
            StorageFailed: the disk did not take it; whether it was recorded is unknown until a restart, so retry by command.
        """
        ...

    def believes(self, time: Timestamp) -> bool:
        """Whether a clock that says this can be right."""
        ...


@dataclass(frozen=True, slots=True)
class Named:
    """A choice in a filter: an id and the name that people know."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryLine:
    """One access means as a person reads it: the register's line with names instead of ids."""

    item: AccessMeans
    designation: str
    client: str
    site: str
    in_charge: str
    holder: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryFilter:
    """Which access means to show; an absent criterion admits all."""

    client: ClientId | None = None
    site: SiteId | None = None
    state: State | None = None
    holder: PersonId | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class InventoryPage:
    """A page of the inventory, ordered by identifier. `page` counts from 1."""

    lines: Sequence[InventoryLine]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Directory:
    """Ids by plain name (no accents, no capitals); a site's name counts within its client. Access means by plain id only."""

    clients: Mapping[str, ClientId]
    sites: Mapping[tuple[ClientId, str], SiteId]
    persons: Mapping[str, PersonId]
    items: frozenset[str]


class Register(Lines, Protocol):
    """The register as the desk and the manager read it."""

    def item_by_tag(self, tag: TagId) -> AccessMeans | None:
        """The access means that carries this tag."""
        ...

    def items_on(self, hook: HookId) -> Sequence[AccessMeans]:
        """The access means whose own hook this is."""
        ...

    def unsigned_of(self, person: PersonId) -> Sequence[AccessMeans]:
        """What this person took and has not signed for."""
        ...

    def lines_of(self, items: Sequence[ItemId]) -> Sequence[InventoryLine]:
        """These access means with names, in this order."""
        ...

    def name_of(self, person: PersonId) -> str:
        """A person's name, or the id when the profile has been erased."""
        ...

    def inventory(self, wanted: InventoryFilter, page: int, size: int) -> InventoryPage:
        """A page of the inventory."""
        ...

    def choices(self) -> Mapping[str, Sequence[Named]]:
        """The values that an inventory can be filtered by: `client`, `site`, `holder`."""
        ...

    def directory(self) -> Directory:
        """Everybody and everything that an import may name."""
        ...


# ---- what never leaves the cabinet


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A committed visit: who the door was opened for, what hung then (by the switches), and the keys tapped since, in order."""

    visit: VisitId
    person: PersonId
    tier: Tier
    at: Timestamp
    hanging: tuple[HookId, ...] = ()
    tapped: tuple[tuple[ItemId, Act], ...] = ()


class Visits(Protocol):
    """The access log of visits and openings: local, three months, apart from custody. Each call is durable when it returns."""

    def opened(self, opening: Opening) -> None:
        """Commit that the door is about to be opened."""
        ...

    def tapped(self, visit: VisitId, items: Sequence[tuple[ItemId, Act]]) -> None:
        """Commit the visit's basket as it now stands."""
        ...

    def ended(self, visit: VisitId, at: Timestamp) -> None:
        """Commit that the visit is over."""
        ...

    def unended(self) -> Sequence[Opening]:
        """Visits without an end, oldest first: after a restart, those that the power cut short."""
        ...

    def noted(self, what: str, at: Timestamp, person: PersonId | None = None, tag: TagId | None = None) -> None:
        """Log a tap that opened nothing."""
        ...


@dataclass(frozen=True, slots=True)
class PinState:
    """A person's PIN as it is kept: an argon2id hash, wrong tries since the last right one, and until when it is locked."""

    hash: str
    failures: int = 0
    locked_until: Timestamp | None = None


class Pins(Protocol):
    """PIN hashes and lock-outs; local, and durable when a call returns."""

    def pin_of(self, person: PersonId) -> PinState | None:
        """A person's PIN, if one was set."""
        ...

    def keep_pin(self, person: PersonId, state: PinState) -> None:
        """Store a new PIN."""
        ...

    def note_tries(self, person: PersonId, hash_: str, failures: int, locked_until: Timestamp | None) -> bool:
        """Store the tries at the PIN of this hash; False, and nothing changes, once another one was set."""
        ...


class Preferences(Protocol):
    """What a person chose at this cabinet."""

    def language_of(self, person: PersonId) -> Language | None:
        """The language a person last chose here."""
        ...

    def keep_language(self, person: PersonId, language: Language) -> None:
        """Remember it."""
        ...


# ---- paper


Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Strokes:
    """A drawn signature: strokes of (x, y) points in pad pixels, within `width` × `height`. No time, no pressure."""

    width: float
    height: float
    strokes: tuple[tuple[Point, ...], ...]


class SignatureImages(Protocol):
    """Turns strokes into a picture."""

    def draw(self, strokes: Strokes) -> bytes:
        """A small PNG."""
        ...


# ---- the demo's hands


@dataclass(frozen=True, slots=True)
class VirtualTag:
    """A simulated badge or key: the name it is tapped by, what it is, and a label to show."""

    name: str
    kind: str
    label: str
    hook: HookId | None = None


@dataclass(frozen=True, slots=True)
class VirtualCabinet:
    """What the simulated cabinet looks like from outside, now."""

    door_open: bool
    hooks: Mapping[HookId, str | None]
    lit: frozenset[HookId] = frozenset()
    lamp: str = ""
    on_reader: str | None = None
    in_hand: Sequence[str] = field(default_factory=tuple)


class Simulation(Protocol):
    """The hands of a person at the simulated cabinet. Used by `kiosk simulate` and by the demo's page."""

    def tags(self) -> Sequence[VirtualTag]:
        """Every virtual badge and key."""
        ...

    def tap(self, name: str) -> None:
        """Hold a badge or a key against the reader for as long as a hand does."""
        ...

    def take(self, name: str) -> None:
        """Lift a key off its hook (the door has to be open)."""
        ...

    def hang(self, name: str, hook: HookId | None = None) -> None:
        """Hang a key on a hook, its own unless another is named (the door has to be open)."""
        ...

    def close_door(self) -> None:
        """Push the door shut."""
        ...

    def look(self) -> VirtualCabinet:
        """See the cabinet."""
        ...

    def watch(self) -> Iterator[VirtualCabinet]:
        """See it now and again at each change, until the iterator is closed."""
        ...


# ---- headquarters as witness, and the proof of what it has seen


class Trouble(StrEnum):
    """What is wrong between a journal and headquarters; until it is cleared up nothing is taken.

    `REFUSED`: headquarters has refused this journal's history, with its signature. `BEHIND`: this journal is shorter than what
    headquarters has signed for (an old card image). `UNCONFIRMED`: the journal was restored, and headquarters has not let the new
    one in yet.
    """

    REFUSED = "refused"
    BEHIND = "behind"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What headquarters has seen of a journal: how many entries, when it last said so, and whether it is reached now."""

    size: int
    at: datetime | None
    online: bool
    trouble: Trouble | None


class Witness(Protocol):
    """Headquarters, as the cabinet knows it."""

    @property
    def view(self) -> Witnessed:
        """How things stand now; never blocks."""
        ...


class Receipts(Protocol):
    """Where receipts come from."""

    def receipt(self, entry: str) -> bytes:
        """The `.tlog-proof` file of an entry, by its id; complete with the cosignature once headquarters has seen the entry.

        Raises:
            NoSuchEntry: there is no entry of this number.
        """
        ...


# ---- headquarters, as the demo's page sees it


@dataclass(frozen=True, slots=True)
class FeedLine:
    """An entry as headquarters received it, with the person's name where the profile has arrived."""

    id: str
    node: str
    sequence: int
    type: str
    subject: str
    time: Timestamp
    person: str | None


class Headquarters(Protocol):
    """Headquarters' own copy."""

    def feed(self, limit: int) -> Sequence[FeedLine]:
        """The newest entries, newest first."""
        ...

    def inventory(self, wanted: InventoryFilter, page: int, size: int) -> InventoryPage:
        """A page of the central register."""
        ...

    @property
    def online(self) -> bool:
        """Whether the broker is reached."""
        ...


# ---- what the relay sends


class Outbox(Protocol):
    """The journal as its relay reads it: the ledger is the outbox."""

    node: str
    stream: str

    @property
    def is_restored(self) -> bool:
        """Whether this journal follows others, which were restored from headquarters' copy."""
        ...

    def size(self) -> int:
        """How many entries there are."""
        ...

    def read(self, after: int, limit: int) -> list[bytes]:
        """The bytes of the entries that follow sequence number `after`, in order."""
        ...

    def frontier(self, size: int) -> Frontier:
        """The right edge of the Merkle tree over the first `size` entries.

        Raises:
            StorageFailed: there are fewer, or the stored tree is damaged.
        """
        ...

    def document(self, wanted: Digest) -> bytes | None:
        """Salt ‖ content of a document, if it is here."""
        ...


class Cursors(Protocol):
    """Where things had got to, remembered across restarts."""

    def cursor(self, name: str) -> str | None:
        """The remembered value."""
        ...

    def keep_cursor(self, name: str, value: str) -> None:
        """Remember it; durable when it returns."""
        ...
