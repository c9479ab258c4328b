"""What a client entrusts: PROC-INT-006 §1, « badge, clé mécanique, clé à code, clé maîtresse »."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.identifiers import ClientId, Digest, HookId, ItemId, PersonId, SiteId, TagId, Timestamp


class Kind(StrEnum):
    """The four kinds of §1."""

    BADGE = "badge"
    MECHANICAL_KEY = "mechanical_key"
    CODED_KEY = "coded_key"
    MASTER_KEY = "master_key"


class State(StrEnum):
    """The three states of §1: « en service, restitué, perdu »."""

    IN_SERVICE = "in_service"
    RESTITUTED = "restituted"
    LOST = "lost"


class Place(StrEnum):
    """Where an access means is; apart from its state."""

    HOOK = "hook"
    HEADQUARTERS = "headquarters"
    PERSON = "person"
    CLIENT = "client"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessMeans:
    """One line of the register.

    `hook` is the hook it belongs on (none: it is kept at headquarters), `holder` is set exactly while `place` is a person,
    `since` is the time of the last change of place, `unsigned` says that its holder has not signed for it yet.
    """

    id: ItemId
    client: ClientId
    site: SiteId
    kind: Kind
    received: str
    in_charge: PersonId
    state: State
    profile: Digest
    tag: TagId | None
    hook: HookId | None
    place: Place
    holder: PersonId | None
    since: Timestamp
    awaiting_countersignature: bool
    blocked: bool
    unsigned: bool
    clock_doubtful: bool
