"""PROC-INT-006 §1 at the touchscreen: taking and returning, by real touches."""

import pytest
from playwright.sync_api import expect

from tests.e2e.cabinet import DISPLAYS, Cabinet, eventually


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("keys", [("T-004",), ("T-004", "T-006")], ids=["one key", "two keys"])
def test_taking_keys_needs_exactly_two_touches(cabinet: Cabinet, display: str, keys: tuple[str, ...]) -> None:
    stand = cabinet.stand(DISPLAYS[display])
    cabinet.to_signing(stand, *keys)
    stand.sign()
    stand.validate()
    stand.sees("done")
    assert stand.finger.touches == 2
    for key in keys:
        assert cabinet.custody(key) == ["custody.taken"]
        assert cabinet.holder(key) == "Nadia Benali"


def test_returning_keys_needs_exactly_two_touches_and_lights_their_hooks(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.take(stand, "T-004", "T-006")
    before = stand.finger.touches
    cabinet.identify(stand)
    for key in ("T-004", "T-006"):
        cabinet.hands.tap(key)
        stand.reads(f"Accrochez au crochet {key[-2:]}")
    eventually(lambda: cabinet.hands.look().lit == {"04", "06"})
    for key in ("T-004", "T-006"):
        cabinet.hands.hang(key)
        stand.reads(f"Au crochet {key[-2:]}")
    stand.sign()
    stand.validate()
    stand.sees("done")
    assert stand.finger.touches - before == 2
    stand.reads("Rendu, à contresigner")
    assert cabinet.custody("T-004") == ["custody.taken", "custody.returned"]


def test_the_screen_says_to_close_the_door_and_then_goes_back_to_the_start(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    stand.validate()
    stand.reads("Refermez la porte")
    cabinet.hands.close_door()
    stand.reads("Merci, Nadia Benali")
    stand.sees("idle")


def test_hanging_a_key_while_somebody_signs_keeps_the_drawing(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.take(stand, "T-004")
    cabinet.identify(stand)
    cabinet.hands.tap("T-004")
    stand.sees("signing")
    stand.sign()
    expect(stand.find("#confirm")).to_be_enabled()
    cabinet.hands.hang("T-004")
    stand.reads("Au crochet 04")
    expect(stand.find("#confirm")).to_be_enabled()
    stand.validate()
    stand.sees("done")


def test_a_key_added_to_the_basket_clears_the_drawing_and_says_so(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    expect(stand.find("#confirm")).to_be_enabled()
    cabinet.lift("T-006")
    stand.reads("La liste a changé")
    expect(stand.find("#confirm")).to_be_disabled()


def test_the_cross_takes_a_line_off_the_list(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004", "T-006")
    stand.tap('[data-press="remove"][data-item="T-006"]')
    expect(stand.find('[data-item="T-006"]')).to_have_count(0)
    stand.sign()
    stand.validate()
    stand.sees("done")
    assert (cabinet.custody("T-004"), cabinet.custody("T-006")) == (["custody.taken"], [])


def test_removing_the_only_line_goes_back_to_the_keys_and_warns_of_the_empty_hook(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.tap('[data-press="remove"]')
    stand.sees("open")
    expect(stand.find(".warn")).to_contain_text("T-004")
    cabinet.hands.hang("T-004")
    expect(stand.find(".warn")).to_have_count(0)


def test_a_badge_that_only_names_somebody_asks_for_a_pin_and_then_opens(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.hands.tap("thomas")
    stand.sees("pin")
    stand.type_pin("1111")
    stand.reads("Essais restants : 4")
    stand.type_pin("2468")
    stand.sees("open")
    stand.reads("Identifiant seul")


def test_the_digits_are_never_on_the_screen(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.hands.tap("thomas")
    stand.sees("pin")
    for digit in "246":
        stand.tap(f'[data-digit="{digit}"]')
    assert stand.find("#masked").inner_text().strip().endswith("3")
    assert "246" not in stand.page.content()
    expect(stand.find("#masked i.on")).to_have_count(3)


def test_a_second_badge_while_somebody_signs_is_refused_and_leaves_the_drawing(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    cabinet.hands.tap("julien")
    stand.reads("Quelqu’un est en train de signer")
    expect(stand.find("#confirm")).to_be_enabled()
    stand.validate()
    stand.sees("done")
    assert cabinet.holder("T-004") == "Nadia Benali"


def test_a_notice_goes_away_when_it_is_touched(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.hands.tap("T-004")
    stand.reads("Présentez d’abord votre badge")
    stand.tap("[data-dismiss]")
    expect(stand.find("[data-dismiss]")).to_have_count(0)
    cabinet.hands.tap("sophie")
    stand.sees("pin")
    stand.type_pin("0000")
    stand.reads("Ce code n’est pas le bon")


def test_somebody_elses_key_is_refused_with_the_holders_name(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.identify(stand)
    cabinet.hands.tap("T-011")
    stand.reads("Julien Morel")
    stand.sees("open")


def test_the_whole_visit_is_in_english_once_the_person_chose_it_and_again_at_the_next_one(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.identify(stand)
    stand.tap('[data-press="language"]')
    stand.reads("Take or bring back your keys")
    expect(stand.find("html")).to_have_attribute("lang", "en")
    cabinet.lift("T-004")
    stand.reads("acknowledge receipt of the access means below")
    stand.sign()
    stand.validate()
    stand.reads("Recorded")
    cabinet.leave(stand)
    expect(stand.find("html")).to_have_attribute("lang", "fr")
    cabinet.identify(stand)
    stand.reads("Take or bring back your keys")


def test_the_first_picture_can_be_read_in_english_by_one_touch(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    stand.tap('[data-press="language"]')
    stand.reads("Present your badge")
    assert stand.finger.touches == 1
