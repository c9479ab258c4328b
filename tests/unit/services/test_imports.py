"""CSV files of access means and people: all of a file, or nothing and every fault by line."""

import csv
import io

import pytest

from kiosk.cli import inventory
from kiosk.domain.errors import BadImport
from kiosk.domain.identifiers import ItemId
from kiosk.services.commands import new_command
from kiosk.services.ports import InventoryFilter
from kiosk.services.sheets import plain
from tests.building import House, chain_holds, no_progress, refolds_to_itself, register_of

HEADING = "identifiant;client;site;type;désignation;personne en charge;date de réception;état;crochet;uid"
GOOD = "N-1;Clinique Saint-Roch;Bâtiment A;clé mécanique;Cave;Sophie Garnier;2026-01-02;en service;05;04C10000000001"

HOSTILE = {
    "markup": "<script>alert(1)</script>",
    "console markup": "[bold red]x[/bold red] [/] [link=file:///]",
    "quotes": 'L’"Étoile" d\'or; et `plus`',
    "a formula": "=cmd|' /C calc'!A0",
    "a plus": "+33 1 23 45 67 89",
    "a minus": "-2+3+cmd|' /C calc'!A0",
    "an at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "emoji": "Clé 🔑 du 🏥 :smile:",
    "right to left": "مفتاح \u202eexe.gnp",
    "a template": "{{ 7*7 }} {name} %(name)s %s",
    "a backslash": "C:\\temp\\n",
    "a separator": "a\u2028b",
}


def imported(house: House, *lines: str, heading: str = HEADING, encoding: str = "utf-8") -> int:
    content = "\r\n".join((heading, *lines)).encode(encoding)
    return house.store.imports.items(new_command(), content, no_progress)


def people_imported(house: House, *lines: str) -> int:
    return house.store.imports.people(new_command(), "\n".join(("nom;rôles;uid;badge", *lines)).encode(), no_progress)


def faults(house: House, *lines: str, heading: str = HEADING) -> list[tuple[int, str, str]]:
    """The faults of a file, and that nothing of it was imported."""
    before = (house.size, register_of(house.store), house.rows("SELECT count(*) FROM documents"))
    with pytest.raises(BadImport) as refused:
        imported(house, *lines, heading=heading)
    assert (house.size, register_of(house.store), house.rows("SELECT count(*) FROM documents")) == before
    found = refused.value.values["faults"]
    assert isinstance(found, list)
    return [(fault.line, fault.code, fault.column) for fault in found]


def changed(**cells: str) -> str:
    """The good line with other cells, by plain heading; on no hook unless one is given."""
    names = [plain(name).replace(" ", "_") for name in HEADING.split(";")]
    found = dict(zip(names, GOOD.split(";"), strict=True)) | {"crochet": ""} | cells
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="", quoting=csv.QUOTE_ALL).writerow(found[name] for name in names)
    return out.getvalue()


# ---- what is right


def test_a_good_file_is_imported_in_one_command(house: House) -> None:
    size = house.size
    assert imported(house, GOOD, changed(identifiant="N-2", uid="")) == 2
    entries = house.entries(size)
    assert [entry.type for entry in entries] == ["register.item_received"] * 2
    assert len({entry.command for entry in entries}) == 1
    assert entries[0].data["received"] == "2026-01-02"
    assert house.item("N-1").tag == house.tag("04C10000000001")
    assert house.item("N-2").tag is None


def test_the_same_command_twice_imports_once(house: House) -> None:
    command, size = new_command(), house.size
    content = f"{HEADING}\n{GOOD}".encode()
    house.store.imports.items(command, content, no_progress)
    with pytest.raises(BadImport):  # the register knows them already, and says so by line
        house.store.imports.items(command, content, no_progress)
    assert house.size == size + 1


def test_known_clients_and_sites_are_found_again_whatever_their_spelling(house: House) -> None:
    before = (house.rows("SELECT count(*) FROM clients"), house.rows("SELECT count(*) FROM sites"))
    imported(
        house,
        changed(identifiant="N-1"),
        changed(identifiant="N-2", uid="", client="CLINIQUE  saint-roch", site="batiment a"),
        changed(identifiant="N-3", uid="", client="mairie d'aubry", site="ÉCOLES"),
    )
    assert (house.rows("SELECT count(*) FROM clients"), house.rows("SELECT count(*) FROM sites")) == before
    assert house.item("N-2").client == house.item("N-1").client == house.item("K-1").client


def test_a_site_of_the_same_name_at_another_client_is_another_site(house: House) -> None:
    imported(house, changed(identifiant="N-1", client="Nouveau", site="Bâtiment A"))
    assert house.item("N-1").site != house.item("K-1").site
    assert house.item("N-1").client not in (house.item("K-1").client, house.item("K-3").client)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", ","])
def test_files_are_read_as_spreadsheets_save_them(house: House, encoding: str, delimiter: str) -> None:
    heading, line = (text.replace(";", delimiter) for text in (HEADING, changed(designation="", type="clé à code")))
    imported(house, line, heading=heading, encoding=encoding)
    [found] = house.store.register.lines_of([ItemId("N-1")])
    assert (found.site, found.item.kind, found.in_charge) == ("Bâtiment A", "coded_key", "Sophie Garnier")


@pytest.mark.parametrize("uid", ["04C10000000001", "04:c1:00:00:00:00:01", "04 C1 00 00 00 00 01", "04c10000000001"])
def test_a_uid_may_be_written_as_people_write_it(house: House, uid: str) -> None:
    imported(house, changed(uid=uid))
    assert house.item("N-1").tag == house.tag("04C10000000001")


def test_dates_may_be_french(house: House) -> None:
    imported(house, changed(date_de_reception="02/01/2026"))
    assert house.item("N-1").received == "2026-01-02"


def test_english_headings_and_words_will_do_and_columns_in_any_order(house: House) -> None:
    imported(
        house,
        "master key,N-1,Nouveau,Siège,Sophie Garnier,2026-01-02,in service",
        heading="Kind,ID,Client,Site,In charge,Received,State",
    )
    assert house.item("N-1").kind == "master_key"


def test_empty_lines_are_passed_over(house: House) -> None:
    assert imported(house, "", GOOD, ";;;;;;;;;", "   ") == 1


def test_an_item_without_a_designation_is_called_by_its_identifier(house: House) -> None:
    imported(house, changed(designation=""))
    assert house.store.register.lines_of([ItemId("N-1")])[0].designation == "N-1"


def test_progress_is_told(house: House) -> None:
    told: list[tuple[int, int]] = []
    content = "\n".join((HEADING, GOOD, changed(identifiant="N-2", uid=""))).encode()
    house.store.imports.items(new_command(), content, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


# ---- what is wrong


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        (changed(identifiant="K-1"), "item_known", "id"),
        (changed(identifiant="k-1"), "item_known", "id"),
        (changed(identifiant="K-1", crochet="01"), "item_known", "id"),
        (changed(identifiant="=cmd"), "not_an_id", "id"),
        (changed(identifiant="a b"), "not_an_id", "id"),
        (changed(identifiant="x" * 41), "not_an_id", "id"),
        (changed(client=""), "empty", "client"),
        (changed(type="trousseau"), "unknown_word", "kind"),
        (changed(etat="cassé"), "unknown_word", "state"),
        (changed(date_de_reception="31/02/2026"), "not_a_date", "received"),
        (changed(date_de_reception="hier"), "not_a_date", "received"),
        (changed(personne_en_charge="Nobody Known"), "person_unknown", "in_charge"),
        (changed(crochet="numéro 5"), "not_a_hook", "hook"),
        (changed(crochet="01"), "hook_taken", "hook"),
        (changed(crochet="17", etat=""), "hook_taken", "hook"),
        (changed(uid="zz"), "not_a_uid", "uid"),
        (changed(uid="04C1"), "not_a_uid", "uid"),
        (changed(uid="08ABCDEF"), "random_uid", "uid"),
        (changed(uid="04B10000000001"), "uid_known", "uid"),
        (changed(uid="04:A1:B2:C3:D4:E5:01"), "uid_known", "uid"),
        (changed(site="x" * 201), "too_long", "site"),
        (changed(designation="a\tb"), "control_character", "designation"),
        (changed(designation="a\nb"), "control_character", "designation"),
        (changed(designation="a\0b"), "control_character", "designation"),
        (GOOD + ";more", "too_many_cells", ""),
    ],
)
def test_a_bad_line_is_told_by_line_and_column(house: House, line: str, code: str, column: str) -> None:
    found = faults(house, changed(identifiant="N-9", uid=""), line)
    assert {(which, column_) for _, which, column_ in found} == {(code, column)}
    assert all(number >= 3 for number, _, _ in found)


def test_every_fault_of_a_file_is_listed_in_the_order_of_lines_and_nothing_is_imported(house: House) -> None:
    found = faults(
        house,
        changed(uid="zz", date_de_reception="hier"),
        changed(identifiant="N-2", uid="", type="?", personne_en_charge="?"),
        changed(identifiant="N-3", uid=""),
        changed(identifiant="n-3", uid=""),
        changed(identifiant="", uid=""),
    )
    assert [line for line, _, _ in found] == sorted(line for line, _, _ in found)
    assert {(line, code) for line, code, _ in found} >= {
        (2, "not_a_uid"),
        (2, "not_a_date"),
        (3, "unknown_word"),
        (3, "person_unknown"),
        (5, "twice"),
        (6, "empty"),
    }
    assert not any(line == 4 for line, _, _ in found)


def test_the_same_uid_twice_in_a_file_is_told_however_it_is_written(house: House) -> None:
    assert faults(house, GOOD, changed(identifiant="N-2", uid="04:C1:00:00:00:00:01")) == [(3, "twice", "uid")]


def test_identifiers_that_differ_by_capitals_only_are_told(house: House) -> None:
    assert faults(house, changed(identifiant="N-1"), changed(identifiant="n-1", uid="")) == [(3, "twice", "id")]


def test_two_access_means_on_one_hook_are_told(house: House) -> None:
    others = (changed(identifiant=name, uid="", crochet="05") for name in ("N-2", "N-3"))
    assert faults(house, GOOD, *others) == [(3, "hook_taken", "hook"), (4, "hook_taken", "hook")]


@pytest.mark.parametrize("state", ["restitué", "perdu"])
def test_what_hangs_nowhere_any_more_leaves_its_hook_to_others(house: House, state: str) -> None:
    gone = (changed(identifiant=f"N-{hook}", uid="", crochet=hook, etat=state) for hook in ("01", "05"))
    in_place_of_the_lost_one = changed(identifiant="N-4", uid="", crochet="04")
    assert imported(house, *gone, GOOD, in_place_of_the_lost_one) == 4


def test_missing_columns_are_told_at_once(house: House) -> None:
    found = faults(house, "N-1;x", heading="identifiant;remarque")
    assert {(code, column) for _, code, column in found} == {
        ("missing_column", name) for name in ("client", "site", "kind", "received", "in_charge")
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\xff\xfe\x00", b"\x00" * 100, b"PK\x03\x04 not a CSV", HEADING.encode("utf-16"), b'"' * 1001],
)
def test_what_is_no_such_file_at_all_is_refused(house: House, content: bytes) -> None:
    size = house.size
    with pytest.raises(BadImport):
        house.store.imports.items(new_command(), content, no_progress)
    assert house.size == size


def test_a_quotation_that_never_ends_is_told_by_line(house: House) -> None:
    [(line, code, _)] = faults(house, GOOD, 'N-2;"never')
    assert (line, code) == (3, "not_csv")


def test_a_file_with_a_heading_only_imports_nothing(house: House) -> None:
    size = house.size
    assert imported(house) == 0
    assert house.size == size


# ---- people


def test_people_and_their_badges_are_enrolled_together(house: House) -> None:
    size = house.size
    count = people_imported(
        house, "Ali Ben;technicien + personne en charge;04D10000000001;", "Eva Sol;responsable d'exploitation;;"
    )
    assert count == 2
    assert house.types(size) == ["people.enrolled", "people.badge_assigned", "people.enrolled"]
    badge = house.store.register.badge(house.tag("04D10000000001"))
    assert badge is not None
    assert badge.tier == "authenticated"
    person = house.store.register.person(badge.person)
    assert person is not None
    assert set(person.roles) == {"technician", "person_in_charge"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Nadia BENALI;technicien;;", "person_known"),
        ("Ali;chef;;", "unknown_word"),
        ("Ali;;;", "empty"),
        (";technicien;;", "empty"),
        ("Ali;technicien + ;04B10000000001;", "uid_known"),
        ("Ali;technicien;04A1B2C3D4E501;", "uid_known"),
        ("Ali;technicien;08123456;", "random_uid"),
        ("Ali;technicien;04D10000000001;peut-être", "unknown_word"),
        ("A\x07li;technicien;;", "control_character"),
    ],
)
def test_a_bad_line_of_people_is_told(house: House, line: str, code: str) -> None:
    size = house.size
    with pytest.raises(BadImport) as refused:
        people_imported(house, "Eva Sol;technicien;;", line)
    found = refused.value.values["faults"]
    assert isinstance(found, list)
    assert code in {fault.code for fault in found}
    assert {fault.line for fault in found} == {3}
    assert house.size == size


# ---- names that somebody has thought up


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_name_survives_import_and_export_as_the_text_that_it_is(house: House, what: str) -> None:
    name = HOSTILE[what]
    people_imported(house, ";".join(_quoted(cell) for cell in (name, "technicien", "", "")))
    imported(house, changed(client=name, site=name, designation=name, personne_en_charge=name))
    [line] = house.store.register.lines_of([ItemId("N-1")])
    assert (line.client, line.site, line.designation, line.in_charge) == (name,) * 4
    assert chain_holds(house.bodies())
    assert refolds_to_itself(house.store)
    cells = exported(house)["N-1"]
    assert name in cells or f"'{name}" in cells
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_no_name_of_a_person_a_place_or_a_key_is_in_the_ledger(house: House) -> None:
    house.take("nadia", "K-1")
    whole = b"".join(house.bodies()).decode()
    for name in ("Nadia", "Benali", "Saint-Roch", "Bâtiment", "Chaufferie", "Aubry", "Passe", "04A1B2C3D4E501"):
        assert name.lower() not in whole.lower()


def exported(house: House) -> dict[str, list[str]]:
    out = io.StringIO()
    inventory.export(house.store.register.inventory, out, no_progress)
    text = out.getvalue()
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";"))
    assert {len(row) for row in rows} == {len(inventory.COLUMNS)}
    return {row[0]: row for row in rows}


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def test_an_export_has_every_access_means_and_opens_in_a_french_spreadsheet(house: House) -> None:
    rows = exported(house)
    total = house.store.register.inventory(InventoryFilter(), 1, 1).total
    assert len(rows) == total + 1
    out = io.StringIO()
    inventory.export(house.store.register.inventory, out, no_progress)
    assert out.getvalue().count("\r\n") == total + 1


def test_what_was_exported_can_be_told_apart_from_a_formula_only_by_its_apostrophe() -> None:
    for cell in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1"):
        assert inventory.harmless(cell) == f"'{cell}"
    for cell in ("", "K-1", "'=1", "2026-11-23", "a=b", "é"):
        assert inventory.harmless(cell) == cell
