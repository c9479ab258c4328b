"""§1. Every pair of a standing and an act: either the table allows it, or it is refused and changes nothing."""

import dataclasses
import itertools
from collections.abc import Callable

import pytest

from kiosk.domain import custody
from kiosk.domain.access_means import AccessMeans, Kind, Place, State
from kiosk.domain.custody import TRANSITIONS, Act, Evidence, Standing, direction, require, standing
from kiosk.domain.errors import HeldByAnother, LostItem, NotActive, NotInService, NotPossible, NotTechnician, Refusal
from kiosk.domain.events import Event
from kiosk.domain.fold import FOLD, Moment
from kiosk.domain.identifiers import ClientId, Digest, HookId, ItemId, PersonId, SiteId, TagId, Timestamp, VisitId
from kiosk.domain.people import Person, Role, Tier

NADIA, JULIEN = PersonId("p001"), PersonId("p002")
VISIT = VisitId("00000000-0000-4000-8000-000000000001")
EVIDENCE = Evidence(visit=VISIT, tier=Tier.AUTHENTICATED, statement=Digest("1" * 64), signature=Digest("2" * 64))
MORNING, EVENING = Timestamp("2026-11-23T06:00:00.000Z"), Timestamp("2026-11-23T17:00:00.000Z")

#: What a line of the register looks like in each standing.
PLACES: dict[Standing, dict[str, object]] = {
    Standing.ON_HOOK: {"place": Place.HOOK},
    Standing.AWAITING_COUNTERSIGNATURE: {"place": Place.HOOK, "awaiting_countersignature": True},
    Standing.AT_HEADQUARTERS: {"place": Place.HEADQUARTERS, "hook": None},
    Standing.HELD: {"place": Place.PERSON, "holder": NADIA},
    Standing.HELD_UNSIGNED: {"place": Place.PERSON, "holder": NADIA, "unsigned": True},
}


def a_person(id_: PersonId = NADIA, *roles: Role, active: bool = True) -> Person:
    return Person(id=id_, roles=roles or (Role.TECHNICIAN,), profile=Digest("0" * 64), active=active)


def an_item(where: Standing, **changes: object) -> AccessMeans:
    item = AccessMeans(
        id=ItemId("K-1"),
        client=ClientId("c001"),
        site=SiteId("s001"),
        kind=Kind.MASTER_KEY,
        received="2025-03-03",
        in_charge=PersonId("p009"),
        state=State.IN_SERVICE,
        profile=Digest("3" * 64),
        tag=TagId("4" * 64),
        hook=HookId("01"),
        place=Place.HOOK,
        holder=None,
        since=MORNING,
        awaiting_countersignature=False,
        blocked=False,
        unsigned=False,
        clock_doubtful=False,
    )
    return dataclasses.replace(item, **{**PLACES[where], **changes})  # type: ignore[arg-type]  # by field


def take(item: AccessMeans, by: Person) -> Event:
    return custody.take(item, by, EVIDENCE, sensed=True)


def give_back(item: AccessMeans, by: Person) -> Event:
    return custody.give_back(item, by, EVIDENCE, sensed=False)


def sign(item: AccessMeans, by: Person) -> Event:
    return custody.sign(item, by, EVIDENCE)


def leave(item: AccessMeans, by: Person) -> Event:
    return custody.leave_unsigned(item, by, VISIT, Tier.AUTHENTICATED, tapped=True, sensed=False)


ACTS: dict[Act, Callable[[AccessMeans, Person], Event]] = {
    Act.TAKE: take,
    Act.RETURN: give_back,
    Act.SIGN: sign,
    Act.LEAVE_UNSIGNED: leave,
}


def test_every_standing_is_read_off_the_registers_fields() -> None:
    assert {where: standing(an_item(where)) for where in Standing} == {where: where for where in Standing}


def test_every_act_has_a_function_here() -> None:
    assert set(ACTS) == set(Act)


@pytest.mark.parametrize(("where", "act"), list(itertools.product(Standing, Act)))
def test_an_act_is_in_the_table_or_it_is_refused(where: Standing, act: Act) -> None:
    item = an_item(where)
    before = dataclasses.asdict(item)
    if (where, act) in TRANSITIONS:
        event = ACTS[act](item, a_person())
        after = FOLD[type(event)].change(item, event, Moment(EVENING, False))
        assert isinstance(after, AccessMeans)
        assert standing(after) is TRANSITIONS[where, act]
    else:
        with pytest.raises(NotPossible):
            ACTS[act](item, a_person())
    assert dataclasses.asdict(item) == before


@pytest.mark.parametrize(("where", "act"), list(itertools.product(Standing, Act)))
@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"state": State.LOST, "blocked": True}, LostItem),
        ({"state": State.LOST}, LostItem),
        ({"blocked": True}, LostItem),
        ({"state": State.RESTITUTED}, NotInService),
    ],
)
def test_nothing_happens_to_what_is_lost_blocked_or_restituted(
    where: Standing, act: Act, changes: dict[str, object], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        require(an_item(where, **changes), act)


@pytest.mark.parametrize("act", [Act.RETURN, Act.SIGN])
def test_a_return_or_a_late_signature_by_another_is_refused(act: Act) -> None:
    where = Standing.HELD if act is Act.RETURN else Standing.HELD_UNSIGNED
    with pytest.raises(HeldByAnother) as refused:
        ACTS[act](an_item(where), a_person(JULIEN))
    assert refused.value.values == {"item": "K-1", "holder": NADIA}


@pytest.mark.parametrize(
    "person", [a_person(NADIA, Role.PERSON_IN_CHARGE), a_person(NADIA, Role.ADMINISTRATOR, Role.OPERATIONS_MANAGER)]
)
def test_only_technicians_take(person: Person) -> None:
    for decide in (take, direction):
        with pytest.raises(NotTechnician):
            decide(an_item(Standing.ON_HOOK), person)


def test_somebody_who_has_left_takes_nothing() -> None:
    for decide in (take, direction):
        with pytest.raises(NotActive):
            decide(an_item(Standing.ON_HOOK), a_person(active=False))


@pytest.mark.parametrize(
    ("where", "act"),
    [
        (Standing.ON_HOOK, Act.TAKE),
        (Standing.AWAITING_COUNTERSIGNATURE, Act.TAKE),
        (Standing.HELD, Act.RETURN),
    ],
)
def test_the_register_tells_what_a_tap_means(where: Standing, act: Act) -> None:
    assert direction(an_item(where), a_person()) is act


def test_a_tap_of_somebody_elses_key_is_refused_before_anything_else() -> None:
    with pytest.raises(HeldByAnother):
        direction(an_item(Standing.HELD), a_person(JULIEN))


@pytest.mark.parametrize("where", [Standing.AT_HEADQUARTERS, Standing.HELD_UNSIGNED])
def test_a_tap_that_could_mean_nothing_is_refused(where: Standing) -> None:
    with pytest.raises(NotPossible):
        direction(an_item(where), a_person())


def test_a_later_signature_does_not_change_since_when_it_is_held() -> None:
    item = an_item(Standing.HELD_UNSIGNED)
    event = sign(item, a_person())
    signed = FOLD[type(event)].change(item, event, Moment(EVENING, False))
    assert isinstance(signed, AccessMeans)
    assert (signed.since, signed.holder, signed.unsigned) == (MORNING, NADIA, False)


def test_a_doubtful_clock_marks_the_line() -> None:
    item = an_item(Standing.ON_HOOK)
    event = take(item, a_person())
    taken = FOLD[type(event)].change(item, event, Moment(EVENING, True))
    assert isinstance(taken, AccessMeans)
    assert taken.clock_doubtful


def test_a_holder_is_named_exactly_while_a_person_holds() -> None:
    for (where, act), _ in TRANSITIONS.items():
        event = ACTS[act](an_item(where), a_person())
        after = FOLD[type(event)].change(an_item(where), event, Moment(EVENING, False))
        assert isinstance(after, AccessMeans)
        assert (after.place is Place.PERSON) == (after.holder is not None)
