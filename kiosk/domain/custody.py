"""Who holds what: PROC-INT-006 §1, « toute attribution … donne lieu à une signature », « la restitution … contresignée »."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kiosk.domain.access_means import AccessMeans, Place, State
from kiosk.domain.errors import HeldByAnother, LostItem, NotInService, NotPossible
from kiosk.domain.events import Returned, Taken, TakenUnsigned, TakeSigned
from kiosk.domain.identifiers import Digest, VisitId
from kiosk.domain.people import Person, Tier


class Standing(StrEnum):
    """Where an item stands in its cycle; read off the register's fields, never stored."""

    ON_HOOK = "on_hook"
    AT_HEADQUARTERS = "at_headquarters"
    HELD = "held"
    HELD_UNSIGNED = "held_unsigned"
    AWAITING_COUNTERSIGNATURE = "awaiting_countersignature"


class Act(StrEnum):
    """What a person does with an item."""

    TAKE = "take"
    LEAVE_UNSIGNED = "leave_unsigned"
    SIGN = "sign"
    RETURN = "return"


#: §1. What may happen to an item, by where it stands; an absent pair is refused and changes nothing.
#: A return that awaits its countersignature does not keep the key from the next technician (ADR 0004).
TRANSITIONS: Mapping[tuple[Standing, Act], Standing] = {
    (Standing.ON_HOOK, Act.TAKE): Standing.HELD,
    (Standing.ON_HOOK, Act.LEAVE_UNSIGNED): Standing.HELD_UNSIGNED,
    (Standing.AWAITING_COUNTERSIGNATURE, Act.TAKE): Standing.HELD,
    (Standing.AWAITING_COUNTERSIGNATURE, Act.LEAVE_UNSIGNED): Standing.HELD_UNSIGNED,
    (Standing.HELD_UNSIGNED, Act.SIGN): Standing.HELD,
    (Standing.HELD, Act.RETURN): Standing.AWAITING_COUNTERSIGNATURE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What makes a signature worth something: the visit, what the badge proved, the statement shown, the drawing."""

    visit: VisitId
    tier: Tier
    statement: Digest
    signature: Digest


class SensedAct(Protocol):
    """An act that a hook's switch can confirm."""

    def __call__(self, item: AccessMeans, by: Person, evidence: Evidence, *, sensed: bool) -> Taken | Returned:
        """Decide it."""
        ...


def standing(item: AccessMeans) -> Standing:
    """Read where `item` stands off the register's fields."""
    if item.place is Place.PERSON:
        return Standing.HELD_UNSIGNED if item.unsigned else Standing.HELD
    if item.place is Place.HOOK:
        return Standing.AWAITING_COUNTERSIGNATURE if item.awaiting_countersignature else Standing.ON_HOOK
    return Standing.AT_HEADQUARTERS


def require(item: AccessMeans, act: Act) -> None:
    """Check that `act` is possible on `item`.

    Raises:
        LostItem: the item was declared lost.
        NotInService: the item went back to the client.
        NotPossible: the table has no such transition.
    """
    if item.state is State.LOST or item.blocked:
        raise LostItem(item=item.id)
    if item.state is not State.IN_SERVICE:
        raise NotInService(item=item.id)
    if (standing(item), act) not in TRANSITIONS:
        raise NotPossible(item=item.id, standing=standing(item), act=act)


def direction(item: AccessMeans, by: Person) -> Act:
    """Tell what a tap of `item` by this person means; the register decides, not a button.

    Raises:
        NotTechnician, NotActive: the person may not.
        HeldByAnother: the item is in somebody else's name.
        LostItem, NotInService, NotPossible: as `require`.
    """
    by.require_technician()
    act = Act.RETURN if item.place is Place.PERSON else Act.TAKE
    if act is Act.RETURN and item.holder != by.id:
        raise HeldByAnother(item=item.id, holder=item.holder)
    require(item, act)
    return act


def take(item: AccessMeans, by: Person, evidence: Evidence, *, sensed: bool) -> Taken:
    """Assign `item` to `by` (§1: « une signature dans le registre par le technicien »)."""
    by.require_technician()
    require(item, Act.TAKE)
    return Taken(
        item=item.id,
        person=by.id,
        visit=evidence.visit,
        tier=evidence.tier,
        statement=evidence.statement,
        signature=evidence.signature,
        sensed=sensed,
    )


def leave_unsigned(
    item: AccessMeans, by: Person, visit: VisitId, tier: Tier, *, tapped: bool, sensed: bool
) -> TakenUnsigned:
    """Record that `item` left with `by`, who did not sign; it is theirs all the same."""
    require(item, Act.LEAVE_UNSIGNED)
    return TakenUnsigned(item=item.id, person=by.id, visit=visit, tier=tier, tapped=tapped, sensed=sensed)


def sign(item: AccessMeans, by: Person, evidence: Evidence) -> TakeSigned:
    """Sign for an item taken unsigned before.

    Raises:
        HeldByAnother: it is in somebody else's name.
    """
    require(item, Act.SIGN)
    if item.holder != by.id:
        raise HeldByAnother(item=item.id, holder=item.holder)
    return TakeSigned(
        item=item.id,
        person=by.id,
        visit=evidence.visit,
        tier=evidence.tier,
        statement=evidence.statement,
        signature=evidence.signature,
    )


def give_back(item: AccessMeans, by: Person, evidence: Evidence, *, sensed: bool) -> Returned:
    """Return `item` (§1: « enregistrée et contresignée »); it then awaits its countersignature.

    Raises:
        HeldByAnother: somebody else holds it.
    """
    require(item, Act.RETURN)
    if item.holder != by.id:
        raise HeldByAnother(item=item.id, holder=item.holder)
    return Returned(
        item=item.id,
        person=by.id,
        visit=evidence.visit,
        tier=evidence.tier,
        statement=evidence.statement,
        signature=evidence.signature,
        sensed=sensed,
    )
