"""French first, English a touch away; kept per person."""

from kiosk.domain.people import Language
from kiosk.services.front import ChooseLanguage
from tests.building import House


def test_a_language_is_kept_for_its_person_and_the_next_one_has_their_own(house: House) -> None:
    house.enter("nadia")
    assert house.speaks(Language.FR)
    house.press(ChooseLanguage(Language.EN))
    assert house.speaks(Language.EN)
    house.key("K-1")
    assert house.statement().splitlines()[1] == "I, Nadia Benali,"
    house.sign()
    house.leave()
    assert house.speaks(Language.FR)
    house.enter("julien")
    assert house.speaks(Language.FR)
    house.leave()
    house.restart()
    house.enter("nadia")
    assert house.speaks(Language.EN)


def test_the_statement_that_is_kept_is_in_the_language_that_was_shown(house: House) -> None:
    house.enter("nadia")
    house.key("K-1")
    house.press(ChooseLanguage(Language.EN))
    house.sign()
    kept = house.store.journal.document(house.entries()[-1].data["statement"])
    assert kept is not None
    assert kept[32:].decode().startswith("PROC-INT-006 §1 · v1 · en\nI, Nadia Benali,\nacknowledge receipt")


def test_the_idle_screens_language_can_be_changed_and_is_nobodys_choice(house: House) -> None:
    house.press(ChooseLanguage(Language.EN), "")
    assert house.speaks(Language.EN)
    house.badge("nadia")
    assert house.speaks(Language.FR)


def test_a_language_without_a_token_changes_nothing_during_a_visit(house: House) -> None:
    house.badge("nadia")
    house.press(ChooseLanguage(Language.EN), "")
    assert house.speaks(Language.FR)
