"""Every word of the command line is in the catalogues, in both languages."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from babel.support import Translations

import kiosk.cli
import web
from kiosk import config
from kiosk.cli import inventory, texts
from kiosk.cli.hq_quarantine import COLUMNS as QUARANTINE_COLUMNS
from kiosk.cli.hq_watch import ALARM_COLUMNS, CABINET_COLUMNS
from kiosk.cli.hq_words import REASONS
from kiosk.domain import errors
from kiosk.domain.errors import TrousseauError
from kiosk.domain.people import Role
from kiosk.hardware import wiring
from kiosk.hq import session
from kiosk.ledger.errors import Fault
from kiosk.ledger.verify import Form
from kiosk.mqtt.client import Cause
from kiosk.mqtt.messages import Health
from kiosk.services import imports, sheets
from kiosk.store import central

ROOM = Path(kiosk.cli.__file__).parent
CATALOGUES = Path(web.__file__).parent / "translations"
LITERAL = re.compile(r"\bt\(\s*\"([a-z_]+(?:\.[a-zA-Z_]+)+)\"")
FAULT = re.compile(r"(?:\bfault\(|Fault\([^\"]*|yield \(|_suggest\(|faults=\[\()\"([a-z_]+)\"")

#: The kinds of alarms, as headquarters raises them.
ALARM = re.compile(r"(?:_alarm|yield)(?:[^\"\n]|\"\")*\"([a-z_]+)\"")

#: Prints the help of every command, as a person would read it.
WALK = """
import json
import click
from kiosk.cli.main import kiosk

def walk(command, path):
    context = click.Context(command, info_name=path)
    yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from walk(inner, f"{path} {name}")

print(json.dumps(dict(walk(kiosk, "kiosk"))))
"""


def catalogue(language: str) -> Translations:
    found = Translations.load(CATALOGUES, [language])
    assert isinstance(found, Translations)
    return found


with (CATALOGUES / "fr/LC_MESSAGES/messages.po").open("rb") as _file:
    KNOWN = [str(message.id) for message in read_po(_file) if message.id]


def sources(*modules: str) -> str:
    return "".join(Path(module).read_text(encoding="utf-8") for module in modules)


def keys() -> set[str]:
    """Every key that the command line asks for, or may."""
    literal = {key for path in ROOM.glob("*.py") for key in LITERAL.findall(path.read_text(encoding="utf-8"))}
    columns = {*inventory.COLUMNS, *imports.ITEM_COLUMNS.values(), *imports.PEOPLE_COLUMNS.values(), "roles", "name"}
    settings = set(FAULT.findall(sources(config.__file__, wiring.__file__)))
    settings |= {f"{code}_among" for code in ("unknown_key", "unknown_section")}
    lines = set(FAULT.findall(sources(imports.__file__, sheets.__file__)))
    alarms = set(ALARM.findall(sources(session.__file__, central.__file__)))
    assert len(literal) > 40
    assert len(settings) > 10
    assert len(lines) > 10
    assert len(alarms) > 4
    return (
        literal
        | {f"cli.column.{name}" for name in columns}
        | {f"cli.settings.{code}" for code in settings}
        | {f"cli.import.{code}" for code in lines}
        | {f"cli.role.{role}" for role in Role}
        | {f"cli.simulate.{name}" for name in ("tap", "take", "hang")}
        | {f"cli.column.{name}" for name in (*CABINET_COLUMNS, *ALARM_COLUMNS, *QUARANTINE_COLUMNS)}
        | {f"cli.health.{health}" for health in Health}
        | {f"cli.alarm.{kind}" for kind in alarms}
        | {f"cli.cause.{cause}" for cause in Cause}
        | {f"cli.reason.{reason}" for reason in REASONS.values()}
        | {f"cli.verify.{form}" for form in Form}
        | {f"cli.fault.{fault.name.lower()}" for fault in Fault}
    )


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_text_of_the_command_line_is_in_the_catalogue(language: str) -> None:
    found = catalogue(language)
    assert [key for key in sorted(keys()) if found.gettext(key) == key] == []


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_help_shows_a_key_instead_of_words(language: str) -> None:
    environment = {**os.environ, "LC_ALL": f"{language}_XX.UTF-8", "COLUMNS": "200"}
    walked = subprocess.run(
        [sys.executable, "-c", WALK], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    helps: dict[str, str] = json.loads(walked.stdout)
    assert len(helps) > 20
    for path, text in helps.items():
        assert "cli." not in text, f"{path}:\n{text}"
        assert "%(" not in text, f"{path}:\n{text}"
    assert ("armoire" in helps["kiosk"], "key cabinet" in helps["kiosk"]) == (language == "fr", language == "en")


#: Errors that have a sentence for each kind.
KINDS: dict[type[TrousseauError], list[dict[str, str]]] = {
    error: [{"kind": key.split(".")[2]} for key in KNOWN if key.startswith(f"error.{error.__name__}.")]
    for error in (errors.HandRefused, errors.HardwareMissing, errors.KeyMissing, errors.NotIssued, errors.NotPlaced)
}


def errors_for_people() -> list[type[TrousseauError]]:
    return [
        found
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, TrousseauError) and found.__doc__
    ]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("error", errors_for_people(), ids=lambda error: error.__name__)
def test_every_error_has_its_sentence_even_without_its_values(error: type[TrousseauError], language: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "_catalogue", catalogue(language))
        said = [list(texts.sentences(error(**values))) for values in KINDS.get(error, [{}])]
    for sentences in said:
        assert len(sentences) == 1
        assert not sentences[0].startswith("error.")
        assert "%" not in sentences[0]
