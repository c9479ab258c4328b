"""The command line's words, from the same catalogue as the screens'."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from babel.support import Translations

import web
from kiosk.domain.errors import TrousseauError
from kiosk.domain.people import Language

_CATALOGUES: Final = Path(web.__file__).parent / "translations"
#: POSIX: the first of these that is set names the language.
_VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")


def terminal_language() -> Language:
    """English where the terminal asks for it, else French."""
    wanted = next((value for name in _VARIABLES if (value := os.environ.get(name))), "")
    return Language.EN if wanted.startswith("en") else Language.FR


_catalogue = Translations.load(_CATALOGUES, [terminal_language().value])


def t(key: str, /, **values: object) -> str:
    """A sentence of the catalogue."""
    text: str = _catalogue.gettext(key)
    return text % values if values else text


def sentences(error: TrousseauError) -> Iterator[str]:
    """What an error tells a person: what happened and what to do next, then each fault."""
    values = {name: _value(value) for name, value in error.values.items()}
    yield t(f"error.{error.code}") % _Lenient(values)
    faults = error.values.get("faults")
    for fault in faults if isinstance(faults, Sequence) else ():
        yield f"  {_fault(fault)}"


def _fault(fault: Any) -> str:  # noqa: ANN401 - a fault of a file (a mapping from the service) or of the settings
    if isinstance(fault, Mapping):
        column = t(f"cli.column.{fault['column']}") if fault["column"] else ""
        return t(
            "cli.import.line",
            line=fault["line"],
            what=t(f"cli.import.{fault['code']}", column=column, value=fault["value"]),
        )
    code, where, detail = fault
    return f"{where}: {t(f'cli.settings.{code}', detail=detail)}"


def _value(value: object) -> object:
    return value if isinstance(value, str | int) else ""


class _Lenient(dict[str, object]):
    """An error raised without a value that its sentence can use still has its sentence."""

    def __missing__(self, _: str) -> str:
        return "…"
