"""What headquarters has seen, on the screen; and what stops when it objects: new takes, and nothing else."""

from datetime import timedelta

import pytest

from kiosk.domain.custody import Act
from kiosk.domain.errors import HistoryRefused, JournalBehind, JournalUnconfirmed, Refusal
from kiosk.domain.identifiers import ItemId, Timestamp, VisitId
from kiosk.domain.people import Tier
from kiosk.services.commands import new_command
from kiosk.services.custody import Piece, Visitor
from kiosk.services.front import Remove, Sight, Step
from kiosk.services.ports import Trouble
from tests.building import MONDAY, SIGNATURE, House

REFUSALS = [
    (Trouble.REFUSED, HistoryRefused),
    (Trouble.BEHIND, JournalBehind),
    (Trouble.UNCONFIRMED, JournalUnconfirmed),
]
troubled = pytest.mark.parametrize(("trouble", "refusal"), REFUSALS, ids=[trouble.value for trouble, _ in REFUSALS])


def test_every_trouble_stops_takes() -> None:
    assert {trouble for trouble, _ in REFUSALS} == set(Trouble)


def sight(house: House) -> Sight:
    """What the bar on top tells, at the desk's next look."""
    house.desk.tick()
    assert house.screen.sight is not None
    return house.screen.sight


# ---- seen by headquarters


def test_before_headquarters_has_said_anything_nothing_is_claimed(house: House) -> None:
    assert sight(house) == Sight(at=None, recent=False, online=False, waiting=False, trouble=None)


def test_the_screen_tells_when_headquarters_last_saw_this_cabinet(house: House) -> None:
    house.witness.sees(house.size, MONDAY)
    at = Timestamp("2026-11-23T06:00:00.000Z")
    assert sight(house) == Sight(at=at, recent=True, online=True, waiting=False, trouble=None)


@pytest.mark.parametrize(("hours", "recent"), [(11, True), (13, False)])
def test_a_time_of_another_day_is_told_with_its_day(house: House, hours: int, recent: bool) -> None:
    house.witness.sees(house.size, MONDAY - timedelta(hours=hours), online=False)
    assert (sight(house).recent, sight(house).online) == (recent, False)


def test_what_was_signed_for_waits_until_headquarters_has_seen_it(house: House) -> None:
    house.witness.sees(house.size, MONDAY)
    house.enter("nadia")
    house.key("K-1")
    house.sign()
    assert sight(house).waiting
    house.witness.sees(house.size, MONDAY)
    assert not sight(house).waiting


def test_news_from_headquarters_wipes_no_signature_that_is_being_drawn(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    stage = house.screen.stage
    house.witness.sees(house.size, MONDAY)
    assert sight(house).online
    assert house.screen.stage == stage


# ---- headquarters objects


@troubled
def test_a_take_is_refused_at_the_key_with_a_warning(house: House, trouble: Trouble, refusal: type[Refusal]) -> None:
    house.witness.objects(trouble)
    size = house.size
    house.enter("nadia")
    house.key("K-1")
    assert (house.step, house.notice) == (Step.OPEN, refusal.__name__)
    assert house.screen.notice is not None
    assert house.screen.notice.tone.value == "warning"
    assert sight(house).trouble is trouble
    house.leave()
    assert house.size == size


@troubled
def test_a_return_is_recorded_all_the_same(house: House, trouble: Trouble, refusal: type[Refusal]) -> None:
    house.take("nadia", "K-1")
    house.witness.objects(trouble)
    house.give_back("nadia", "K-1")
    assert house.custody("K-1") == ["custody.taken", "custody.returned"]


@troubled
def test_a_take_that_was_begun_before_is_not_recorded_after(
    house: House, trouble: Trouble, refusal: type[Refusal]
) -> None:
    house.take("nadia", "K-2")
    house.enter("nadia")
    house.key("K-1", "K-2")
    size = house.size
    house.witness.objects(trouble)
    with pytest.raises(refusal):
        house.sign()
    assert (house.step, house.notice, house.size) == (Step.SIGNING, refusal.__name__, size)
    house.press(Remove(ItemId("K-1")))  # and the return beside it is signed for
    house.sign()
    assert (house.custody("K-1"), house.custody("K-2")) == ([], ["custody.taken", "custody.returned"])


@troubled
def test_what_leaves_without_a_signature_is_recorded_all_the_same(
    house: House, trouble: Trouble, refusal: type[Refusal]
) -> None:
    house.witness.objects(trouble)
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.close_door()
    house.wait(50)
    assert house.custody("K-1") == ["custody.taken_unsigned"]
    assert house.item("K-1").holder == house.person("nadia")


@troubled
def test_an_earlier_take_can_still_be_signed_for(house: House, trouble: Trouble, refusal: type[Refusal]) -> None:
    house.enter("nadia")
    house.lift("01")
    house.close_door()
    house.wait(50)
    house.witness.objects(trouble)
    house.badge("nadia")
    house.sign()
    assert house.custody("K-1") == ["custody.taken_unsigned", "custody.take_signed"]


@troubled
def test_a_take_recorded_before_the_trouble_is_confirmed_when_it_is_asked_for_again(
    house: House, trouble: Trouble, refusal: type[Refusal]
) -> None:
    nadia = house.store.register.person(house.person("nadia"))
    assert nadia is not None
    visitor = Visitor(nadia, VisitId("11111111-2222-3333-4444-555555555555"), Tier.AUTHENTICATED)
    custody = house.equipment().custody
    command, pieces = new_command(), [Piece(ItemId("K-1"), Act.TAKE, sensed=False)]
    recorded = custody.sign(command, visitor, pieces, "", SIGNATURE)
    house.witness.objects(trouble)
    assert list(custody.sign(command, visitor, pieces, "", SIGNATURE)) == list(recorded)
    with pytest.raises(refusal):
        custody.sign(new_command(), visitor, [Piece(ItemId("K-2"), Act.TAKE, sensed=False)], "", SIGNATURE)
    assert (house.custody("K-1"), house.custody("K-2")) == (["custody.taken"], [])


def test_once_the_trouble_is_cleared_up_keys_are_taken_again(house: House) -> None:
    house.witness.objects(Trouble.REFUSED)
    house.enter("nadia")
    house.key("K-1")
    house.witness.sees(house.size, MONDAY)
    house.key("K-1")
    house.sign()
    assert house.custody("K-1") == ["custody.taken"]
