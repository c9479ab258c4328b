"""Every text of the screens is in the catalogues, in both languages, and nothing else is."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import web
from kiosk.domain import errors
from kiosk.domain.access_means import Kind, Place, State
from kiosk.domain.custody import Act
from kiosk.domain.errors import TrousseauError
from kiosk.domain.events import EVENTS
from kiosk.domain.people import Language, Tier
from kiosk.services.front import Tone
from kiosk.services.ports import Trouble
from web import texts

ROOM = Path(web.__file__).parent
NAME = r"([a-zA-Z0-9_]+(?:\.[a-zA-Z0-9_]+)+)"

#: How code and templates ask for a text by its name.
USES = re.compile(rf"""(?:\b_|N_|gettext|say|in_language)\(\s*(?:language,\s*)?["']{NAME}["']""")

#: The command line keeps its texts in the same files; its own tests look after them.
OTHERS = ("cli.",)

PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def catalogue(language: str) -> Mapping[str, str]:
    path = ROOM / "translations" / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def used() -> set[str]:
    sources = [*ROOM.glob("*.py"), *(ROOM / "templates").rglob("*.html")]
    return {name for source in sources for name in USES.findall(source.read_text(encoding="utf-8"))}


FRENCH, ENGLISH = catalogue("fr"), catalogue("en")


def test_both_languages_have_the_same_texts() -> None:
    assert FRENCH.keys() == ENGLISH.keys()


@pytest.mark.parametrize("language", Language)
def test_no_text_is_empty(language: Language) -> None:
    assert [name for name, text in catalogue(language.value).items() if not text.strip()] == []


def test_both_languages_name_the_same_values() -> None:
    differing = [
        name
        for name in FRENCH
        if set(PLACEHOLDER.findall(FRENCH[name])) != set(PLACEHOLDER.findall(ENGLISH.get(name, "")))
    ]
    assert differing == []


def test_every_percent_sign_belongs_to_a_value() -> None:
    assert [n for some in (FRENCH, ENGLISH) for n, text in some.items() if "%" in PLACEHOLDER.sub("", text)] == []


def test_every_text_that_is_asked_for_exists() -> None:
    assert used() - FRENCH.keys() == set()


def test_no_text_lies_unused() -> None:
    ours = {name for name in FRENCH if not name.startswith(OTHERS)}
    assert ours - used() == set()


def test_every_error_has_its_text() -> None:
    named = {
        f"error.{name}"
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, TrousseauError)
    }
    # An error of several kinds has a text for each: `error.HandRefused.door_shut`.
    worded = {".".join(name.split(".")[:2]) for name in texts.ERRORS}
    assert named - worded == set()


def test_every_event_has_its_name() -> None:
    assert set(texts.EVENTS) == {f"event.{type_}" for type_ in EVENTS}


def test_every_value_of_the_domain_has_its_word() -> None:
    assert set(texts.KINDS) == set(Kind)
    assert set(texts.STATES) == set(State)
    assert set(texts.PLACES) == set(Place)
    assert set(texts.TIERS) == set(Tier)
    assert set(texts.TONES) == set(Tone)
    assert set(texts.TROUBLES) == set(Trouble)
    assert set(texts.ACTS) == set(texts.DONE_ACTS) == set(Act)


def test_french_is_set_as_french_is_printed() -> None:
    ours = {name: text for name, text in FRENCH.items() if not name.startswith(OTHERS)}
    for name, text in ours.items():
        assert "'" not in text, f"{name}: a straight apostrophe"
        assert not re.search(r" [:;!?»]|« ", text), f"{name}: an ordinary space where a line must not break"


def test_no_page_script_or_module_holds_words_for_people() -> None:
    for source in [*(ROOM / "static").glob("*.js"), *(ROOM / "templates").rglob("*.html")]:
        text = re.sub(r"\{#.*?#\}|/\*.*?\*/|//[^\n]*", "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"[À-ÖØ-öø-ÿ]", text), source.name


@pytest.mark.parametrize("language", Language)
def test_the_catalogues_are_sorted_and_name_no_place_in_the_code(language: Language) -> None:
    path = ROOM / "translations" / language.value / "LC_MESSAGES" / "messages.po"
    text = path.read_text(encoding="utf-8")
    names = re.findall(r'^msgid "(.+)"$', text, re.MULTILINE)
    assert names == sorted(names)
    assert "#:" not in text
