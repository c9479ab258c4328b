"""§1. What is signed: in two languages, and never reworded once somebody has signed it."""

import hashlib

import pytest

from kiosk.domain.custody import Act
from kiosk.domain.identifiers import ItemId
from kiosk.domain.people import Language
from kiosk.domain.statements import VERSION, WORDINGS, Article, statement

ARTICLES = {
    act: [Article(ItemId(f"K-{number}"), "Passe général", "Mairie d’Aubry", "Écoles")]
    for number, act in enumerate((Act.TAKE, Act.SIGN, Act.RETURN), 1)
}

#: The wording that has been signed. A better one is a new version with a digest of its own; these stay.
GOLDEN = {
    ("1", Language.FR): "af6c920a7152222b4a521ec4cfeec0d4857137a39e7f14501be7de589d91d220",
    ("1", Language.EN): "1c073181ebc3a1e3d96fe87e1cfe69e31901d26e3b5e5b9d6a42a0d5282c1a79",
}


@pytest.mark.parametrize("language", Language)
def test_the_wording_of_this_version_is_what_has_been_signed(language: Language) -> None:
    text = statement(language, "Nadia Benali", ARTICLES).text
    assert hashlib.sha256(text.encode()).hexdigest() == GOLDEN[VERSION, language]


def test_the_french_statement_names_the_clause_the_person_the_duty_and_the_key() -> None:
    assert statement(Language.FR, "Nadia Benali", {Act.TAKE: ARTICLES[Act.TAKE]}).text == (
        "PROC-INT-006 §1 · v1 · fr\n"
        "Je soussigné(e) Nadia Benali,\n"
        "reconnais avoir reçu les moyens d’accès ci-dessous et en être responsable "
        "pendant toute la période de détention, jusqu’à leur restitution contresignée.\n"
        "- K-1 · Passe général · Mairie d’Aubry · Écoles\n"
    )


def test_acts_without_articles_are_left_out() -> None:
    found = statement(Language.EN, "Nadia Benali", {Act.RETURN: ARTICLES[Act.RETURN], Act.TAKE: []})
    assert [clause.act for clause in found.clauses] == [Act.RETURN]


def test_every_language_words_the_same_acts() -> None:
    assert set(WORDINGS) == set(Language)
    assert {tuple(wording.acts) for wording in WORDINGS.values()} == {(Act.TAKE, Act.SIGN, Act.RETURN)}


def test_a_name_with_braces_is_only_a_name() -> None:
    for name in ("{0}", "{name}", "{name.__class__}", "%s", "A {"):
        assert statement(Language.EN, name, ARTICLES).opening == f"I, {name},"


def test_another_basket_is_another_text() -> None:
    texts = {
        statement(language, name, articles).text
        for language in Language
        for name in ("Nadia Benali", "Julien Morel")
        for articles in (ARTICLES, {Act.TAKE: ARTICLES[Act.TAKE]}, {Act.SIGN: ARTICLES[Act.TAKE]})
    }
    assert len(texts) == 12
