"""What is a signature, for which statement, and how often."""

import math
from collections.abc import Callable

import pytest

from kiosk.domain.errors import BadSignature, EmptySignature, NotNow, Refusal, StatementChanged
from kiosk.domain.identifiers import ItemId
from kiosk.services.front import Remove, Sign, Step
from kiosk.services.ports import Point, Strokes
from tests.building import LOOPS, SIGNATURE, House


def drawing(*strokes: tuple[Point, ...], width: float = 320, height: float = 160) -> Strokes:
    return Strokes(width, height, strokes)


def with_point(x: float, y: float) -> Strokes:
    return drawing((*LOOPS, (x, y)))


EMPTY: dict[str, Strokes] = {
    "nothing": drawing(),
    "empty strokes": drawing((), ()),
    "a dot": drawing(((50.0, 50.0),)),
    "two dots": drawing(((50.0, 50.0),), ((200.0, 90.0),)),
    "many dots": drawing(*[((float(10 * n), 50.0),) for n in range(30)]),
    "a tick": drawing(tuple((50.0 + n, 50.0) for n in range(9))),
    "one straight jump": drawing(((0.0, 0.0), (300.0, 150.0))),
}
BAD: dict[str, Strokes] = {
    "not a number": with_point(math.nan, 10),
    "nor that": with_point(10, math.nan),
    "infinite": with_point(math.inf, 10),
    "minus infinite": with_point(10, -math.inf),
    "far outside": with_point(1e6, 10),
    "huge number": with_point(1e308, 1e308),
    "too many points": drawing(LOOPS * 1000),
    "no width": drawing(LOOPS, width=0),
    "negative height": drawing(LOOPS, height=-1),
    "a pad without a number": drawing(LOOPS, width=math.nan),
    "an infinite pad": drawing(LOOPS, height=math.inf),
    "a pad like a thread": drawing(LOOPS, width=1, height=4096),
    "a pad like a ribbon": drawing(LOOPS, width=4096, height=1),
    "a huge pad": drawing(LOOPS, width=1e9, height=1e9),
}


def at_signing(house: House) -> House:
    house.enter("nadia")
    house.key("K-1")
    return house


@pytest.mark.parametrize("what", EMPTY)
def test_next_to_nothing_is_no_signature(house: House, what: str) -> None:
    at_signing(house)
    with pytest.raises(EmptySignature):
        house.sign(EMPTY[what])
    assert (house.step, house.notice, house.custody("K-1")) == (Step.SIGNING, "EmptySignature", [])


@pytest.mark.parametrize("what", BAD)
def test_what_no_hand_could_draw_is_no_signature(house: House, what: str) -> None:
    at_signing(house)
    with pytest.raises(BadSignature):
        house.sign(BAD[what])
    assert (house.step, house.notice, house.custody("K-1")) == (Step.SIGNING, "BadSignature", [])


def test_a_drawing_that_is_refused_can_be_drawn_again(house: House) -> None:
    at_signing(house)
    for refused in (EMPTY["two dots"], BAD["infinite"]):
        with pytest.raises(Refusal):
            house.sign(refused)
    house.sign()
    assert house.custody("K-1") == ["custody.taken"]
    assert house.rows("SELECT count(*) FROM documents WHERE hex(content) LIKE '89504E47%'") == [(1,)]


def test_a_finger_may_leave_the_pad_a_little(house: House) -> None:
    at_signing(house)
    house.sign(with_point(-15, 175))
    assert house.at(Step.DONE)


def test_valider_pressed_twice_is_one_event(house: House) -> None:
    at_signing(house)
    press = Sign(SIGNATURE, house.statement())
    for _ in range(3):
        house.press(press)
    assert house.at(Step.DONE)
    assert house.custody("K-1") == ["custody.taken"]


def test_valider_pressed_again_after_the_success_has_gone_is_still_one_event(house: House) -> None:
    at_signing(house)
    press = Sign(SIGNATURE, house.statement())
    house.press(press)
    house.wait(4)
    assert house.at(Step.OPEN)
    house.press(press)
    assert (house.step, house.custody("K-1")) == (Step.OPEN, ["custody.taken"])


def test_valider_without_anything_to_sign_is_refused(house: House) -> None:
    house.enter("nadia")
    with pytest.raises(NotNow):
        house.press(Sign(SIGNATURE, "whatever"))


def a_key_more(house: House) -> None:
    house.key("K-2")


def a_key_less(house: House) -> None:
    house.press(Remove(ItemId("K-17")))


@pytest.mark.parametrize("change", [a_key_more, a_key_less])
def test_a_signature_under_another_statement_is_refused(house: House, change: Callable[[House], None]) -> None:
    house.enter("nadia")
    house.key("K-1", "K-17")
    old = house.statement()
    change(house)
    with pytest.raises(StatementChanged):
        house.press(Sign(SIGNATURE, old))
    assert (house.step, house.notice, house.custody("K-1")) == (Step.SIGNING, "StatementChanged", [])
    house.sign()
    assert house.custody("K-1") == ["custody.taken"]


def test_a_statement_that_somebody_has_worded_differently_is_refused(house: House) -> None:
    at_signing(house)
    for text in ("", house.statement() + " ", house.statement().replace("K-1", "K-2"), house.statement().strip()):
        with pytest.raises(StatementChanged):
            house.press(Sign(SIGNATURE, text))
    assert house.custody("K-1") == []
