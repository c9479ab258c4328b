"""The manager's inventory on the touchscreen: PROC-INT-006 §1, « registre nominatif »."""

import pytest
from playwright.sync_api import expect

from tests.e2e.cabinet import DISPLAYS, Cabinet, Stand


def opened_inventory(cabinet: Cabinet, stand: Stand) -> None:
    cabinet.hands.tap("sophie")
    stand.sees("pin")
    stand.type_pin("1470")
    stand.sees("inventory")
    stand.reads("Moyens d’accès : 40")


def test_a_manager_sees_every_access_means_by_badge_and_pin(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    opened_inventory(cabinet, stand)
    seen = set(stand.find("[data-item]").evaluate_all("rows => rows.map((row) => row.dataset.item)"))
    stand.tap("#next")
    stand.reads("Page 2 sur 2")
    seen |= set(stand.find("[data-item]").evaluate_all("rows => rows.map((row) => row.dataset.item)"))
    assert seen == {f"T-{number:03}" for number in range(1, 41)}
    expect(stand.find("#next")).to_be_disabled()


def test_a_line_says_where_the_key_is_since_when_and_with_whom(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    opened_inventory(cabinet, stand)
    line = stand.find('tr[data-item="T-011"]')
    expect(line).to_contain_text("Julien Morel")
    expect(line).to_contain_text("Clinique Saint-Roch")
    expect(line).to_contain_text("en charge : Sophie Garnier")
    expect(line.locator(".since")).to_contain_text(":")
    expect(stand.find('tr[data-item="T-001"]')).to_contain_text("Crochet 01")


@pytest.mark.parametrize(
    ("criterion", "label", "expected"),
    [
        ("client", "Mairie de Villebrune", "Mairie de Villebrune"),
        ("site", "Pavillon Est", "Pavillon Est"),
        ("state", "Perdu", "Perdu"),
        ("holder", "Julien Morel", "Julien Morel"),
        ("place", "Au siège", "Au siège"),
    ],
)
def test_the_list_can_be_narrowed(cabinet: Cabinet, criterion: str, label: str, expected: str) -> None:
    stand = cabinet.stand()
    opened_inventory(cabinet, stand)
    stand.tap("#filter")
    choice = stand.find(f'select[name="{criterion}"]')
    value = choice.locator("option", has_text=label).first.get_attribute("value")
    choice.select_option(value)
    expect(stand.find('[data-item="T-002"]' if criterion != "site" else '[data-item="T-001"]')).to_have_count(0)
    lines = stand.find("[data-item]")
    assert 0 < lines.count() < 20
    for line in lines.all():
        expect(line).to_contain_text(expected)


def test_filters_are_kept_and_can_be_combined_until_nothing_is_left(cabinet: Cabinet) -> None:
    stand = cabinet.stand(DISPLAYS["720x1280"])
    opened_inventory(cabinet, stand)
    stand.tap("#filter")
    stand.find('select[name="place"]').select_option("person")
    expect(stand.find('[data-item="T-001"]')).to_have_count(0)
    stand.find('select[name="state"]').select_option("lost")
    stand.reads("Aucun moyen d’accès ne correspond")
    assert stand.find('select[name="place"]').input_value() == "person"


def test_a_filter_can_be_chosen_with_a_finger(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    opened_inventory(cabinet, stand)
    stand.tap("#filter")
    stand.finger.tap(stand.find('select[name="state"]'))
    option = stand.find('select[name="state"] option[value="lost"]')
    expect(option).to_be_visible()
    stand.finger.tap(option)
    expect(stand.find('[data-item="T-001"]')).to_have_count(0)


def test_the_inventory_speaks_english(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    opened_inventory(cabinet, stand)
    stand.tap('[data-press="language"]')
    stand.reads("Access means: 40")
    stand.reads("in charge: Sophie Garnier")


def test_a_manager_who_is_a_technician_too_goes_on_to_the_keys(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.identify(stand, "camille")
    stand.tap('[data-press="inventory"]')
    stand.type_pin("1357")
    stand.sees("inventory")
    stand.tap('[data-press="open"]')
    stand.sees("open")


def test_a_technician_is_not_offered_the_inventory(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.identify(stand)
    expect(stand.find('[data-press="inventory"]')).to_have_count(0)
