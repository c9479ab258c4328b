"""The register as a fold of events: one event changes one line, and nothing but the event decides how.

The cabinet and headquarters run this same code, so their registers can only differ if their entries do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kiosk.domain import events
from kiosk.domain.access_means import AccessMeans, Place, State
from kiosk.domain.identifiers import PersonId, Timestamp
from kiosk.domain.people import Badge, Client, Person, Site

#: A line of the register.
Line = Client | Site | Person | Badge | AccessMeans

#: The kinds of line, each with the field that names it.
KEYS: Mapping[type[Line], str] = {Client: "id", Site: "id", Person: "id", Badge: "tag", AccessMeans: "id"}


@dataclass(frozen=True, slots=True)
class Moment:
    """When an entry was made, and whether its clock could be believed."""

    at: Timestamp
    doubtful: bool


def _client(_: Client | None, event: events.ClientRegistered, __: Moment) -> Client:
    return Client(id=event.client, profile=event.profile)


def _site(_: Site | None, event: events.SiteRegistered, __: Moment) -> Site:
    return Site(id=event.site, client=event.client, profile=event.profile)


def _enrolled(_: Person | None, event: events.PersonEnrolled, __: Moment) -> Person:
    return Person(id=event.person, roles=event.roles, profile=event.profile, active=True)


def _left(person: Person, _: events.PersonLeft, __: Moment) -> Person:
    return replace(person, active=False)


def _badge(_: Badge | None, event: events.BadgeAssigned, __: Moment) -> Badge:
    return Badge(tag=event.badge, person=event.person, tier=event.tier, revoked=False)


def _revoked(badge: Badge, _: events.BadgeRevoked, __: Moment) -> Badge:
    return replace(badge, revoked=True)


#: Where an item is when it enters the register in this state (in service: on its hook, or at headquarters without one).
_FIRST_PLACE: Mapping[State, Place] = {State.RESTITUTED: Place.CLIENT, State.LOST: Place.UNKNOWN}


def _received(_: AccessMeans | None, event: events.ItemReceived, moment: Moment) -> AccessMeans:
    in_service = Place.HOOK if event.hook else Place.HEADQUARTERS
    return AccessMeans(
        id=event.item,
        client=event.client,
        site=event.site,
        kind=event.kind,
        received=event.received,
        in_charge=event.in_charge,
        state=event.state,
        profile=event.profile,
        tag=event.tag,
        hook=event.hook,
        place=_FIRST_PLACE.get(event.state, in_service),
        holder=None,
        since=moment.at,
        awaiting_countersignature=False,
        blocked=event.state is State.LOST,
        unsigned=False,
        clock_doubtful=moment.doubtful,
    )


def _held(item: AccessMeans, by: PersonId, moment: Moment, *, unsigned: bool) -> AccessMeans:
    return replace(
        item, place=Place.PERSON, holder=by, unsigned=unsigned, since=moment.at, clock_doubtful=moment.doubtful
    )


def _taken(item: AccessMeans, event: events.Taken, moment: Moment) -> AccessMeans:
    return _held(item, event.person, moment, unsigned=False)


def _taken_unsigned(item: AccessMeans, event: events.TakenUnsigned, moment: Moment) -> AccessMeans:
    return _held(item, event.person, moment, unsigned=True)


def _take_signed(item: AccessMeans, _: events.TakeSigned, __: Moment) -> AccessMeans:
    return replace(item, unsigned=False)


def _returned(item: AccessMeans, _: events.Returned, moment: Moment) -> AccessMeans:
    return replace(
        item,
        place=Place.HOOK,
        holder=None,
        since=moment.at,
        awaiting_countersignature=True,
        clock_doubtful=moment.doubtful,
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """Which kind of line an event changes, and how; `whole` when it says all of the line, whatever was there before."""

    line: type[Line]
    change: Callable[[Any, Any, Moment], Line]
    whole: bool = False


#: The fold. An event that is absent here (a door left open, say) is evidence only and changes no line.
FOLD: Mapping[type[events.Event], Rule] = {
    events.ClientRegistered: Rule(Client, _client, whole=True),
    events.SiteRegistered: Rule(Site, _site, whole=True),
    events.PersonEnrolled: Rule(Person, _enrolled, whole=True),
    events.PersonLeft: Rule(Person, _left),
    events.BadgeAssigned: Rule(Badge, _badge, whole=True),
    events.BadgeRevoked: Rule(Badge, _revoked),
    events.ItemReceived: Rule(AccessMeans, _received, whole=True),
    events.Taken: Rule(AccessMeans, _taken),
    events.TakenUnsigned: Rule(AccessMeans, _taken_unsigned),
    events.TakeSigned: Rule(AccessMeans, _take_signed),
    events.Returned: Rule(AccessMeans, _returned),
}
