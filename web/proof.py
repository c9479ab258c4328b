"""The paper for a client: what a verification found, in plain words, on one page that needs no other file.

Drawn without the application, so that the command line writes the page that the demonstration shows.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.dates import format_datetime, get_timezone
from babel.numbers import format_decimal
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kiosk.domain.people import Language
from kiosk.ledger.checkpoint import node_and_stream
from kiosk.ledger.note import VerifierKey
from kiosk.ledger.verify import Keyring, Verdict, printable
from web import qr
from web.texts import EVENTS, TIME_ZONE

_ROOM: Final = Path(__file__).parent
_STYLE: Final = _ROOM / "static" / "proof.css"


@dataclass(frozen=True, slots=True)
class Checked:
    """A file, and what it proves about one log."""

    file: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the page is shown by a server: its style sheet, the proof to download, the page in the other language."""

    style: str
    download: str
    other: str


class Words:
    """Texts, dates and numbers in one language, outside any request."""

    def __init__(self, language: Language) -> None:
        self._language = language.value
        self._catalogue = Translations.load(_ROOM / "translations", [self._language])

    def say(self, name: str, **values: object) -> str:
        """The text called `name`."""
        return str(self._catalogue.gettext(name)) % values

    def event(self, type_: str) -> str:
        """An event's type in words; a type of a later version as it is written."""
        name = f"event.{type_}"
        return self.say(name) if name in EVENTS else printable(type_)

    def number(self, number: int) -> str:
        """A number as it is printed here."""
        return format_decimal(number, locale=self._language)

    def time(self, moment: datetime) -> str:
        """A moment as the clock on the wall shows it."""
        pattern = self.say("proof.moment")
        return format_datetime(moment, pattern, tzinfo=get_timezone(TIME_ZONE), locale=self._language)

    def moment(self, of: int | str) -> str:
        """The same of what a cosignature (seconds since 1970) or an entry (RFC 3339) tells; what is no date as it is written."""
        try:
            return self.time(datetime.fromtimestamp(of, UTC) if isinstance(of, int) else datetime.fromisoformat(of))
        except (ValueError, OverflowError):
            return printable(str(of))


def page(
    found: Sequence[Checked],
    keyring: Keyring,
    language: Language,
    at: datetime,
    surroundings: Surroundings | None = None,
) -> str:
    """Draw the page of a verification made at `at`; on its own, or within `surroundings`."""
    words = Words(language)
    environment = Environment(
        loader=FileSystemLoader(_ROOM / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals.update(_=words.say, say_event=words.event, number=words.number, qr=qr.symbol)
    environment.globals.update(moment=words.moment, node=_node)
    environment.filters.update(time=words.time, printable=printable, quoted=shlex.quote)
    return environment.get_template("proof/page.html").render(
        found=found,
        keys=_used(found, keyring),
        language=language.value,
        at=at,
        surroundings=surroundings,
        style="" if surroundings else _style(),
    )


def _style() -> Markup:
    """Our own sheet, within the page that stands alone."""
    return Markup("<style>\n{}</style>").format(Markup(_STYLE.read_text(encoding="utf-8")))  # noqa: S704 - as it ships


def _used(found: Sequence[Checked], keyring: Keyring) -> list[VerifierKey]:
    """The public keys that these verdicts rest on."""
    names = {one.verdict.origin for one in found} | {one.verdict.seen.witness for one in found if one.verdict.seen}
    return [key for key in (*keyring.logs, *keyring.witnesses) if key.name in names]


def _node(origin: str) -> str:
    return node_and_stream(origin)[0]
