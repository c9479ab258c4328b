"""What a technician signs: PROC-INT-006 §1, « reconnaissant la réception et sa responsabilité pendant la période de détention ».

The wording is evidence: a version that has been signed once is never edited. A better wording is a new version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kiosk.domain.custody import Act
from kiosk.domain.identifiers import ItemId
from kiosk.domain.people import Language

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Wording:
    """One version's sentences in one language, by act, and the heading of the list under each."""

    opening: str
    acts: Mapping[Act, str]


WORDINGS: Mapping[Language, Wording] = {
    Language.FR: Wording(
        "Je soussigné(e) {name},",
        {
            Act.TAKE: (
                "reconnais avoir reçu les moyens d’accès ci-dessous et en être responsable "
                "pendant toute la période de détention, jusqu’à leur restitution contresignée."
            ),
            Act.SIGN: (
                "reconnais avoir pris les moyens d’accès ci-dessous sans les avoir signés et en être responsable "
                "depuis leur prise, jusqu’à leur restitution contresignée."
            ),
            Act.RETURN: (
                "déclare restituer les moyens d’accès ci-dessous ; cette restitution doit encore être contresignée."
            ),
        },
    ),
    Language.EN: Wording(
        "I, {name},",
        {
            Act.TAKE: (
                "acknowledge receipt of the access means below and responsibility for them "
                "for as long as I hold them, until their return is countersigned."
            ),
            Act.SIGN: (
                "acknowledge that I took the access means below without signing for them, and responsibility for them "
                "since then, until their return is countersigned."
            ),
            Act.RETURN: "declare that I return the access means below; this return still has to be countersigned.",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Article:
    """An access means as the statement names it."""

    item: ItemId
    designation: str
    client: str
    site: str


@dataclass(frozen=True, slots=True)
class Clause:
    """One act of a statement: its sentence and the articles that it covers."""

    act: Act
    sentence: str
    articles: tuple[Article, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything that is signed with one signature."""

    language: Language
    opening: str
    clauses: tuple[Clause, ...]

    @property
    def text(self) -> str:
        """The statement as it is shown, stored and hashed; one line a sentence or an article."""
        lines = [f"PROC-INT-006 §1 · v{VERSION} · {self.language}", self.opening]
        for clause in self.clauses:
            lines.append(clause.sentence)
            lines.extend(f"- {a.item} · {a.designation} · {a.client} · {a.site}" for a in clause.articles)
        return "\n".join(lines) + "\n"


def statement(language: Language, name: str, articles: Mapping[Act, Sequence[Article]]) -> Statement:
    """Word what `name` signs for; acts without articles are left out."""
    wording = WORDINGS[language]
    clauses = tuple(
        Clause(act, sentence, tuple(articles[act])) for act, sentence in wording.acts.items() if articles.get(act)
    )
    return Statement(language, wording.opening.format(name=name), clauses)
