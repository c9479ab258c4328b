"""The register as people read it: with names, by filters, page by page."""

import sqlite3
from contextlib import closing

import pytest

from kiosk.domain.access_means import Place, State
from kiosk.domain.events import ClientRegistered
from kiosk.domain.identifiers import ClientId, HookId, ItemId, PersonId, SiteId
from kiosk.services.commands import new_command
from kiosk.services.ports import InventoryFilter
from tests.building import House


def ids(house: House, **criteria: str) -> list[str]:
    page = house.store.register.inventory(InventoryFilter(**criteria), 1, 100)  # type: ignore[arg-type]  # by name
    return [line.item.id for line in page.lines]


def test_the_inventory_is_in_the_order_of_identifiers_with_names_and_no_ids(house: House) -> None:
    house.take("nadia", "K-1")
    page = house.store.register.inventory(InventoryFilter(), 1, 100)
    assert [line.item.id for line in page.lines] == ["K-1", "K-17", "K-2", "K-3", "K-BACK", "K-HQ", "K-LOST"]
    first = page.lines[0]
    assert (first.designation, first.client, first.site) == ("Chaufferie", "Clinique Saint-Roch", "Bâtiment A")
    assert (first.in_charge, first.holder) == ("Sophie Garnier", "Nadia Benali")
    assert page.lines[1].holder is None


def test_the_inventory_can_be_filtered_by_everything_that_the_procedure_names(house: House) -> None:
    house.take("nadia", "K-1")
    client, site = house.item("K-3").client, house.item("K-17").site
    assert ids(house, client=client) == ["K-17", "K-3", "K-BACK", "K-HQ", "K-LOST"]
    assert ids(house, site=site) == ["K-17", "K-BACK", "K-HQ", "K-LOST"]
    assert ids(house, state=State.LOST) == ["K-LOST"]
    assert ids(house, holder=house.person("nadia")) == ["K-1"]
    assert ids(house, place=Place.HEADQUARTERS) == ["K-HQ"]
    assert ids(house, client=client, state=State.IN_SERVICE, place=Place.HOOK) == ["K-17", "K-3"]
    assert ids(house, client="nobody") == []


@pytest.mark.parametrize(("page", "found"), [(1, 1), (2, 2), (3, 3), (4, 3), (0, 1), (-5, 1), (10**9, 3)])
def test_a_page_that_is_not_there_is_the_nearest_one(house: House, page: int, found: int) -> None:
    got = house.store.register.inventory(InventoryFilter(), page, 3)
    assert (got.page, got.pages, got.total) == (found, 3, 7)
    assert len(got.lines) == (3 if found < 3 else 1)


def test_an_empty_inventory_has_one_empty_page(house: House) -> None:
    got = house.store.register.inventory(InventoryFilter(holder=PersonId("p000")), 1, 10)
    assert (got.page, got.pages, got.total, list(got.lines)) == (1, 1, 0, [])


def test_the_choices_of_a_filter_are_names_in_order(house: House) -> None:
    choices = house.store.register.choices()
    assert [one.name for one in choices["client"]] == ["Clinique Saint-Roch", "Mairie d’Aubry"]
    assert [one.name for one in choices["site"]] == ["Bâtiment A", "Écoles", "Hôtel de ville"]
    assert "Nadia Benali" in [one.name for one in choices["holder"]]


def test_lines_come_in_the_order_asked_for_and_unknown_ones_are_left_out(house: House) -> None:
    lines = house.store.register.lines_of([ItemId("K-3"), ItemId("nothing"), ItemId("K-1")])
    assert [line.item.id for line in lines] == ["K-3", "K-1"]


def test_a_person_whose_profile_is_erased_is_shown_by_id_and_the_ledger_does_not_mind(house: House) -> None:
    house.take("nadia", "K-1")
    nadia = house.store.register.person(house.person("nadia"))
    assert nadia is not None
    with closing(sqlite3.connect(house.settings.database)) as connection, connection:
        connection.execute("DELETE FROM documents WHERE digest = ?", (nadia.profile,))
    assert house.store.register.name_of(nadia.id) == nadia.id
    assert house.store.register.lines_of([ItemId("K-1")])[0].holder == nadia.id
    assert house.store.register.name_of(PersonId("p999")) == "p999"


def test_only_what_is_in_service_is_on_a_hook(house: House) -> None:
    assert [item.id for item in house.store.register.items_on(HookId("01"))] == ["K-1"]
    assert list(house.store.register.items_on(HookId("04"))) == []


def test_the_directory_knows_everybody_by_plain_name(house: House) -> None:
    directory = house.store.register.directory()
    assert directory.persons["thomas lefevre"] == house.person("thomas")
    client = directory.clients["mairie d'aubry"]
    assert directory.sites[client, "ecoles"] == house.item("K-17").site
    assert {"k-1", "k-lost"} <= directory.items


def test_what_is_not_there_is_none(house: House) -> None:
    register = house.store.register
    assert register.client(ClientId("c999")) is None
    assert register.site(SiteId("s999")) is None
    assert register.person(PersonId("p999")) is None
    assert register.item(ItemId("K-999")) is None
    assert register.item_by_tag(house.tag("04FFFFFFFFFFFF")) is None


def test_a_document_that_is_no_profile_costs_its_name_only(house: House) -> None:
    with house.store.journal.act(new_command(), "operator") as act:
        act.record(ClientRegistered(client=ClientId("c999"), profile=act.keep(b"%PDF-1.7 \xff")))
    assert "c999" in {choice.name for choice in house.store.register.choices()["client"]}
