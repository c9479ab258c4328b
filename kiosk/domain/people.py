"""Who may act: persons and their roles, badges, clients and sites (PROC-INT-006 §1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kiosk.domain.errors import NotActive, NotTechnician
from kiosk.domain.identifiers import ClientId, Digest, PersonId, SiteId, TagId


class Role(StrEnum):
    """What the procedure lets a person do."""

    TECHNICIAN = "technician"
    PERSON_IN_CHARGE = "person_in_charge"
    OPERATIONS_MANAGER = "operations_manager"
    ADMINISTRATOR = "administrator"


#: Who answers for the register and so may read all of it.
MANAGERS = frozenset({Role.PERSON_IN_CHARGE, Role.OPERATIONS_MANAGER, Role.ADMINISTRATOR})


class Language(StrEnum):
    """The languages that every text exists in, French first."""

    FR = "fr"
    EN = "en"


class Tier(StrEnum):
    """What a tap proves, strongest first."""

    AUTHENTICATED = "authenticated"
    PASSWORD_CHECKED = "password_checked"  # noqa: S105 - the name of a tier, not a secret
    IDENTIFIER_ONLY = "identifier_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person by pseudonymous id; `profile` is the document that holds the name."""

    id: PersonId
    roles: tuple[Role, ...]
    profile: Digest
    active: bool

    @property
    def is_manager(self) -> bool:
        """Whether the person may read the whole register."""
        return not MANAGERS.isdisjoint(self.roles)

    @property
    def is_technician(self) -> bool:
        """Whether the person may take and return."""
        return Role.TECHNICIAN in self.roles

    def require_active(self) -> None:
        """Raise NotActive when the person has left."""
        if not self.active:
            raise NotActive(person=self.id)

    def require_technician(self) -> None:
        """Raise NotActive or NotTechnician unless the person may take and return."""
        self.require_active()
        if not self.is_technician:
            raise NotTechnician(person=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A badge, by the keyed hash of its UID, and what it must prove at each tap."""

    tag: TagId
    person: PersonId
    tier: Tier
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client that entrusts access means; its name stands in `profile`."""

    id: ClientId
    profile: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One of a client's sites; its name stands in `profile`."""

    id: SiteId
    client: ClientId
    profile: Digest
