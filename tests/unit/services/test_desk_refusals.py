"""Badges, keys and people that are refused: nothing changes, and the screen says why."""

import pytest

from kiosk.domain.errors import NotAllowed, NotVisiting, VisitInProgress
from kiosk.domain.identifiers import TagId
from kiosk.domain.people import Tier
from kiosk.services.front import Cancel, Sign, Step, StillHere, Tone
from kiosk.services.ports import ReaderChanged, Tap, TapFailed, TapFault
from tests.building import SIGNATURE, House

UNKNOWN = TagId("ab" * 32)


def nothing_happened(house: House, size: int) -> bool:
    return (house.size, house.door.pulses, house.step) == (size, 0, Step.IDLE) and house.signals.heard == ["refused"]


@pytest.mark.parametrize(
    ("who", "code"),
    [("rosa", "RevokedBadge"), ("paul", "NotActive"), ("zoe", "NotAllowed"), ("yann", "NoPin")],
)
def test_a_person_or_badge_that_may_not_is_refused(house: House, who: str, code: str) -> None:
    size = house.size
    house.badge(who)
    assert house.notice == code
    assert nothing_happened(house, size)


def test_an_unknown_badge_is_refused_and_logged(house: House) -> None:
    size = house.size
    house.desk.report(Tap("desk", UNKNOWN, Tier.IDENTIFIER_ONLY))
    assert house.notice == "UnknownBadge"
    assert nothing_happened(house, size)
    assert house.rows("SELECT what, tag FROM access_log") == [("unknown_tag", UNKNOWN)]


@pytest.mark.parametrize("tier", [Tier.IDENTIFIER_ONLY, Tier.PASSWORD_CHECKED])
def test_a_cloned_badge_that_cannot_prove_itself_is_refused_with_a_warning(house: House, tier: Tier) -> None:
    size = house.size
    house.badge("nadia", tier)
    assert house.notice == "ClonedBadge"
    assert house.screen.notice is not None
    assert house.screen.notice.tone is Tone.WARNING
    assert nothing_happened(house, size)
    assert house.rows("SELECT what, person FROM access_log") == [("cloned_badge", house.person("nadia"))]


@pytest.mark.parametrize(
    ("cause", "code"),
    [(TapFault.RANDOM, "RandomIdentifier"), (TapFault.SEVERAL, "SeveralTags"), (TapFault.TORN, "TornTap")],
)
def test_a_tap_that_names_nobody_is_refused(house: House, cause: TapFault, code: str) -> None:
    size = house.size
    house.desk.report(TapFailed("desk", cause))
    assert house.notice == code
    assert nothing_happened(house, size)


def test_a_key_before_any_badge_is_refused(house: House) -> None:
    size = house.size
    house.key("K-1")
    assert house.notice == "BadgeFirst"
    assert nothing_happened(house, size)


def test_a_key_before_the_pin_is_refused(house: House) -> None:
    house.badge("thomas")
    house.key("K-1")
    assert (house.step, house.notice) == (Step.PIN, "BadgeFirst")


@pytest.mark.parametrize(("key", "code"), [("K-LOST", "LostItem"), ("K-BACK", "NotInService"), ("K-HQ", "NotPossible")])
def test_a_key_that_is_not_to_be_taken_is_refused(house: House, key: str, code: str) -> None:
    size = house.size
    house.enter("nadia")
    house.key(key)
    assert (house.step, house.notice) == (Step.OPEN, code)
    house.leave()
    assert house.size == size


def test_an_unknown_key_in_a_visit_is_refused_as_a_key(house: House) -> None:
    house.enter("nadia")
    house.desk.report(Tap("desk", UNKNOWN, Tier.IDENTIFIER_ONLY))
    assert (house.step, house.notice) == (Step.OPEN, "UnknownKey")


def test_somebody_elses_key_is_refused_with_the_holders_name(house: House) -> None:
    house.take("nadia", "K-1")
    house.enter("julien")
    house.key("K-1")
    assert house.notice == "HeldByAnother"
    assert house.screen.notice is not None
    assert house.screen.notice.values["holder"] == "Nadia Benali"
    house.leave()
    assert house.item("K-1").holder == house.person("nadia")
    assert house.custody("K-1") == ["custody.taken"]


def test_a_refused_key_does_not_touch_what_is_in_the_basket(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    stage = house.screen.stage
    house.key("K-LOST")
    assert (house.step, house.basket, house.notice) == (Step.SIGNING, ["K-1"], "LostItem")
    assert house.screen.stage == stage  # a signature that is being drawn stays


def test_a_notice_goes_away_by_itself(house: House) -> None:
    house.key("K-1")
    house.wait(5.9)
    assert house.notice == "BadgeFirst"
    house.wait(0.2)
    assert house.notice == ""


def test_a_second_badge_while_somebody_signs_is_refused_and_the_visit_goes_on(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    token = house.screen.token
    house.badge("julien")
    assert (house.step, house.notice, house.screen.token) == (Step.SIGNING, VisitInProgress.__name__, token)
    house.sign()
    assert house.item("K-1").holder == house.person("nadia")


def test_a_second_badge_takes_over_when_nobody_answers_and_the_key_is_the_first_ones(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.lift("01")
    house.key("K-1")
    house.wait(60)
    assert house.screen.asking
    house.badge("julien")
    assert (house.step, house.screen.name) == (Step.OPEN, "Julien Morel")
    assert house.types(size) == ["custody.taken_unsigned", "cabinet.visit_unresolved"]
    assert house.entries(size)[1].data["cause"] == "taken_over"
    assert house.item("K-1").holder == house.person("nadia")
    assert "error" in house.signals.heard


def test_a_second_badge_takes_over_an_open_cabinet_in_which_nothing_was_touched(house: House) -> None:
    size = house.size
    house.enter("nadia")
    house.badge("julien")
    assert (house.step, house.screen.name) == (Step.OPEN, "Julien Morel")
    assert house.size == size
    assert house.rows("SELECT count(*) FROM visits WHERE ended IS NULL") == [(1,)]


def test_a_second_badge_takes_over_an_open_cabinet_and_the_emptied_hook_is_the_first_ones(house: House) -> None:
    house.enter("nadia")
    house.lift("01")
    house.badge("julien")
    assert house.custody("K-1") == ["custody.taken_unsigned"]
    assert house.item("K-1").holder == house.person("nadia")
    house.leave()
    assert house.custody("K-1") == ["custody.taken_unsigned"]


@pytest.mark.parametrize("who", ["zoe", "yann", "rosa", "paul"])
def test_a_badge_that_is_refused_does_not_end_somebody_elses_visit(house: House, who: str) -> None:
    house.enter("nadia")
    house.badge(who)
    assert (house.step, house.screen.name) == (Step.OPEN, "Nadia Benali")
    house.key("K-1")
    house.sign()
    assert house.custody("K-1") == ["custody.taken"]


def test_a_second_tap_of_the_same_badge_is_a_sign_of_life_only(house: House) -> None:
    house.enter("nadia")
    house.wait(29)
    house.badge("nadia")
    house.wait(29)
    assert (house.step, house.screen.asking, house.door.pulses) == (Step.OPEN, False, 1)


def test_a_button_with_a_wrong_token_is_refused(house: House) -> None:
    house.enter("nadia")
    for token in ("", "x" * 32):
        with pytest.raises(NotVisiting):
            house.press(Cancel(), token)
    assert house.at(Step.OPEN)


def test_a_finger_that_rests_on_the_glass_after_the_visit_has_ended_is_nobodys_business(house: House) -> None:
    house.press(StillHere(), "x" * 32)
    assert (house.step, house.notice) == (Step.IDLE, "")
    house.enter("nadia")
    house.wait(29)
    house.press(StillHere(), "x" * 32)
    house.wait(1)
    assert house.screen.asking  # and keeps nobody else's visit alive


def test_the_token_of_a_visit_that_is_over_is_refused_in_the_next_one(house: House) -> None:
    house.enter("nadia")
    old = house.screen.token
    house.key("K-1")
    statement = house.statement()
    house.sign()
    house.leave()
    house.enter("julien")
    assert house.screen.token != old
    for press in (Sign(SIGNATURE, statement), Cancel()):
        with pytest.raises(NotVisiting):
            house.press(press, old)
    assert house.custody("K-1") == ["custody.taken"]


def test_a_button_when_nobody_visits_is_refused(house: House) -> None:
    with pytest.raises(NotVisiting):
        house.press(Cancel())


def test_a_person_in_charge_who_is_no_technician_takes_nothing(house: House) -> None:
    house.badge("sophie")
    assert house.at(Step.PIN)
    house.key("K-1")
    assert house.notice == "BadgeFirst"
    assert NotAllowed.__name__ != house.notice
    assert house.door.pulses == 0


def test_a_reader_that_is_lost_is_shown_and_heard_until_it_comes_back(house: House) -> None:
    house.desk.report(ReaderChanged("desk", True))
    assert house.screen.reader_up
    house.desk.report(ReaderChanged("desk", False))
    assert not house.screen.reader_up
    assert house.signals.heard == ["error"]
    house.desk.report(ReaderChanged("desk", True))
    assert house.screen.reader_up
