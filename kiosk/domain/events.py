"""What has happened: one frozen dataclass an event, named in the past tense.

Fields hold strings, booleans and lists of strings only (the canonical form needs no more). Never free text and never a name:
those are documents, held by digest. Events evolve by addition; a changed meaning is a new type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from kiosk.domain.access_means import Kind, State
from kiosk.domain.identifiers import (
    ClientId,
    Digest,
    HookId,
    ItemId,
    PersonId,
    Root,
    SiteId,
    Size,
    StreamId,
    TagId,
    VisitId,
)
from kiosk.domain.people import Role, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRegistered:
    """A client entered the register."""

    type: ClassVar[str] = "register.client_registered"
    client: ClientId
    profile: Digest

    @property
    def subject(self) -> str:
        """The client."""
        return self.client


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRegistered:
    """A client's site entered the register."""

    type: ClassVar[str] = "register.site_registered"
    site: SiteId
    client: ClientId
    profile: Digest

    @property
    def subject(self) -> str:
        """The site."""
        return self.site


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReceived:
    """§1. A client entrusted an access means; `received` is the date, `YYYY-MM-DD`."""

    type: ClassVar[str] = "register.item_received"
    item: ItemId
    client: ClientId
    site: SiteId
    kind: Kind
    received: str
    in_charge: PersonId
    state: State
    profile: Digest
    tag: TagId | None = None
    hook: HookId | None = None

    @property
    def subject(self) -> str:
        """The access means."""
        return self.item


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEnrolled:
    """A person was given roles."""

    type: ClassVar[str] = "people.enrolled"
    person: PersonId
    roles: tuple[Role, ...]
    profile: Digest

    @property
    def subject(self) -> str:
        """The person."""
        return self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLeft:
    """A person no longer works with access means."""

    type: ClassVar[str] = "people.left"
    person: PersonId

    @property
    def subject(self) -> str:
        """The person."""
        return self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeAssigned:
    """A badge was given to a person; from now on each tap has to prove `tier`."""

    type: ClassVar[str] = "people.badge_assigned"
    badge: TagId
    person: PersonId
    tier: Tier

    @property
    def subject(self) -> str:
        """The badge."""
        return self.badge


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeRevoked:
    """A badge was withdrawn, for good."""

    type: ClassVar[str] = "people.badge_revoked"
    badge: TagId

    @property
    def subject(self) -> str:
        """The badge."""
        return self.badge


@dataclass(frozen=True, slots=True, kw_only=True)
class _Movement:
    """What every movement of an access means tells: what, who, in which visit, and what the badge proved."""

    item: ItemId
    person: PersonId
    visit: VisitId
    tier: Tier

    @property
    def subject(self) -> str:
        """The access means."""
        return self.item


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed(_Movement):
    """A movement that was signed for: the statement shown, and the drawing."""

    statement: Digest
    signature: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(_Signed):
    """§1. A technician took an access means and signed for it.

    `sensed` tells whether the hook's switch felt it leave; otherwise the take is only declared by the tap.
    """

    type: ClassVar[str] = "custody.taken"
    sensed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUnsigned(_Movement):
    """An access means left the cabinet with the person of the visit, who did not sign.

    `tapped` and `sensed` tell how it is known: by the tag at the reader, by the hook's switch, or both.
    """

    type: ClassVar[str] = "custody.taken_unsigned"
    tapped: bool
    sensed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSigned(_Signed):
    """§1. The holder signed for an access means that had been taken unsigned."""

    type: ClassVar[str] = "custody.take_signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(_Signed):
    """§1. The holder brought an access means back and signed; a countersignature is awaited.

    `sensed` tells whether the hook's switch felt it come back; otherwise the return is only declared by the tap.
    """

    type: ClassVar[str] = "custody.returned"
    sensed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitUnresolved:
    """A visit ended with keys tapped and not signed for: by another badge, by waiting, by a restart."""

    type: ClassVar[str] = "cabinet.visit_unresolved"
    visit: VisitId
    person: PersonId
    cause: str
    items: tuple[ItemId, ...]

    @property
    def subject(self) -> str:
        """The visit."""
        return self.visit


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLeftOpen:
    """The door was still open when the visit had ended."""

    type: ClassVar[str] = "cabinet.door_left_open"
    visit: VisitId
    person: PersonId

    @property
    def subject(self) -> str:
        """The visit."""
        return self.visit


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpened:
    """The journal was restored from headquarters' copy and goes on in a new stream, of which this is the first entry.

    `previous` is the stream that it follows, `size` and `root` the head of it that was taken over, as headquarters cosigned it.
    What the cabinet had recorded beyond that head is in `evidence`, and if headquarters had refused a head
    of it, `refused_size` and `refused_root` say which.
    """

    type: ClassVar[str] = "ledger.stream_opened"
    previous: StreamId
    size: Size
    root: Root
    evidence: Digest | None = None
    refused_size: Size | None = None
    refused_root: Root | None = None

    @property
    def subject(self) -> str:
        """The stream that it follows."""
        return self.previous


CustodyEvent = Taken | TakenUnsigned | TakeSigned | Returned
Event = (
    ClientRegistered
    | SiteRegistered
    | ItemReceived
    | PersonEnrolled
    | PersonLeft
    | BadgeAssigned
    | BadgeRevoked
    | CustodyEvent
    | VisitUnresolved
    | DoorLeftOpen
    | StreamOpened
)

#: Every event class by its type. The one table that decoding, the fold and the contract are made from.
EVENTS: Mapping[str, type[Event]] = {
    event.type: event
    for event in (
        ClientRegistered,
        SiteRegistered,
        ItemReceived,
        PersonEnrolled,
        PersonLeft,
        BadgeAssigned,
        BadgeRevoked,
        Taken,
        TakenUnsigned,
        TakeSigned,
        Returned,
        VisitUnresolved,
        DoorLeftOpen,
        StreamOpened,
    )
}

#: The fields that name a document, whatever the event.
DOCUMENT_FIELDS = frozenset({"profile", "statement", "signature", "evidence"})
