"""How a visit ends, and what is recorded when it did not end well."""

from __future__ import annotations

from enum import StrEnum

from kiosk.domain.access_means import AccessMeans, Place
from kiosk.domain.custody import Act
from kiosk.services.commands import new_command
from kiosk.services.equipment import Equipment
from kiosk.services.ports import Opening
from kiosk.services.timestamps import timestamp
from kiosk.services.visit import Visit


class Cause(StrEnum):
    """Why a visit ended: by itself with the door shut, by nobody answering, by another badge, by a restart."""

    CLOSED = "closed"
    EXPIRED = "expired"
    TAKEN_OVER = "taken_over"
    RESTARTED = "restarted"


def record_end(e: Equipment, visit: Visit, cause: Cause) -> None:
    """Record what an opened visit leaves behind: what is in its basket, or moved on the hooks, is the visitor's, signed for or not.

    The visit itself ends only with the door shut, or in the next visitor's name: until then every hook is still its own.
    """
    visit.look_around(e.register, e.hooks.sensed)
    unsigned = [*visit.basket, *visit.untapped]
    if unsigned:
        e.custody.leave(visit.visitor, cause, visit.loose(e.hooks.sensed), unsigned)
        e.signals.error()
    left_open = cause in (Cause.EXPIRED, Cause.RESTARTED) and e.door.is_open
    if left_open:
        e.custody.door_left_open(visit.visitor)
        e.signals.error()
    else:
        e.visits.ended(visit.id, timestamp(e.clock.now().time))


def resolve_unended(e: Equipment) -> Visit | None:
    """After a start: end the visits that a power cut or a crash left open, as the register and the switches tell.

    Returns the last of them when the door still stands open in its name.
    """
    last = None
    for opening in e.visits.unended():
        last = _revived(e, opening)
        record_end(e, last, Cause.RESTARTED)
    return last if e.door.is_open else None


def _revived(e: Equipment, opening: Opening) -> Visit:
    person = e.register.person(opening.person)
    assert person is not None  # the register that let the visit begin still knows its person
    visit = Visit(person, "", opening.tier, new_command(), id=opening.visit, opened=True)
    visit.learn(e.register, [item for item, _ in opening.tapped])
    visit.basket = {
        item: act for item, act in opening.tapped if item in visit.lines and _pending(visit.lines[item].item, act)
    }
    visit.hanging = set(opening.hanging)
    return visit


def _pending(item: AccessMeans, act: Act) -> bool:
    """Whether the register does not show this act of an unended visit yet."""
    return (item.place is Place.PERSON) == (act is Act.RETURN)
