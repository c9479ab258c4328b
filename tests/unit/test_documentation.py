"""What is printed in the documents is true: every command, setting, link and promise is held to the code."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml
from babel.support import Translations

from kiosk import config
from kiosk.cli import inventory
from kiosk.cli.main import kiosk
from kiosk.hardware import wiring
from kiosk.services import imports, patience, pins
from kiosk.services.front import Step
from kiosk.services.sheets import plain, read_sheet

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ADRS = DOCS / "adr"
TWINS = (ROOT / "README.md", ROOT / "README.en.md")
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])

#: `[text](target)` and `![text](target)`.
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def rows(page: Path) -> Iterator[list[str]]:
    """The rows of a page's tables, cell by cell."""
    for line in read(page).splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\s:-]+", line):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def links(page: Path) -> list[str]:
    """Where a page links to in this project."""
    return [target for target in LINK.findall(read(page)) if not target.startswith(("http://", "https://", "#"))]


# ---- commands


def command_lines(command: click.Command, path: str) -> Iterator[str]:
    """What people may type: each command with its arguments, and each with one of its options."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from command_lines(inner, f"{path} {name}")
    else:
        yield " ".join([path, *(one.human_readable_name for one in command.params if isinstance(one, click.Argument))])
    for option in command.params:
        if isinstance(option, click.Option):
            shown = "" if option.is_flag or option.is_eager else f" {option.make_metavar(click.Context(command))}"
            yield f"{path} {max(option.opts, key=len)}{shown.split(' RANGE')[0]}"


@pytest.mark.parametrize("line", [*command_lines(kiosk, "kiosk"), "kiosk --help"])
def test_every_command_and_option_is_in_the_documents(line: str) -> None:
    assert f"`{line}`" in {row[0] for row in rows(DOCS / "commands.md")}


def test_the_documents_name_no_command_that_does_not_exist() -> None:
    described = {row[0].strip("`") for row in rows(DOCS / "commands.md") if row[0].startswith("`kiosk")}
    assert described == {*command_lines(kiosk, "kiosk"), "kiosk --help"}


def test_every_command_typed_in_the_documents_exists() -> None:
    for page in PAGES:
        for typed in re.findall(r"(?:^\.venv/bin/|`)(kiosk [a-z][^`\n]*)", read(page), re.MULTILINE):
            words = [word for word in re.split(r"[\s,]+", typed)[1:] if re.fullmatch(r"[a-z]+", word)]
            command: click.Command = kiosk
            while words and isinstance(command, click.Group):
                assert words[0] in command.commands, f"{page.name}: {typed}"
                command = command.commands[words.pop(0)]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_command_and_option_has_its_help_in_both_languages(language: str) -> None:
    environment = {"PYTHONUTF8": "1", "LC_ALL": language}
    show = "from tests.unit.test_documentation import helps; print(*helps(), sep=chr(0))"
    shown = subprocess.run([sys.executable, "-c", show], cwd=ROOT, env=environment, capture_output=True, check=True)
    texts = shown.stdout.decode("utf-8").strip().split("\0")
    assert texts == list(dict.fromkeys(texts)), "two commands with one help"
    assert [text for text in texts if re.fullmatch(r"[a-z_.]*", text)] == []


def helps(command: click.Command = kiosk) -> Iterator[str]:
    """The help of every command and option, in the language of the terminal."""
    yield command.help or ""
    for option in command.params:
        if isinstance(option, click.Option):
            yield option.help or ""
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from helps(inner)


# ---- settings


def settings() -> list[tuple[str, object]]:
    return [
        (f"{section}.{name}", getattr(struct(), name))
        for section, struct in config.SECTIONS.items()
        for name in struct.__struct_fields__
    ]


def in_toml(value: object) -> str:
    """A value as the documents print it; JSON's strings and numbers are TOML's."""
    return f"`{json.dumps(value)}`"


@pytest.mark.parametrize(("name", "default"), settings())
def test_every_setting_is_in_the_documents_with_its_default(name: str, default: object) -> None:
    found = [row[1] for row in rows(DOCS / "configuration.md") if row[0] == f"`{name}`"]
    assert found == [in_toml(default)]


def shipped(file: str) -> dict[str, object]:
    return tomllib.loads(read(ROOT / "firmware_config" / file))


def test_every_pin_is_in_the_documents_with_the_shipped_wiring() -> None:
    table = {row[0].strip("`"): row[1:] for row in rows(DOCS / "configuration.md")}
    front = shipped("pins.toml")
    hooks = front.pop("hooks")
    assert isinstance(hooks, dict)
    assert set(front) == set(wiring.Wiring.__struct_fields__) - {"hooks", "readers"}
    assert {name: table[name][0] for name in front} == {name: in_toml(pin) for name, pin in front.items()}
    assert {f"hooks.NN.{name}" for name in wiring.HookPins.__struct_fields__} <= set(table)
    wires = {name: [in_toml(hook["switch"]), in_toml(hook["led"])] for name, hook in hooks.items()}
    assert {name: table[name] for name in hooks} == wires


def test_every_key_of_a_reader_is_in_the_documents_with_what_is_shipped() -> None:
    table = {row[0].strip("`"): row[1] for row in rows(DOCS / "configuration.md")}
    for name, reader in shipped("readers.toml").items():
        assert isinstance(reader, dict)
        assert set(reader) == set(wiring.ReaderWiring.__struct_fields__)
        assert {key: table[f"{name}.{key}"] for key in reader} == {key: in_toml(v) for key, v in reader.items()}


def test_the_times_that_cannot_be_set_are_the_ones_in_the_documents() -> None:
    said = [row[1] for row in rows(DOCS / "configuration.md") if len(row) == 2]
    steps = (Step.PIN, Step.OPEN, Step.SIGNING, Step.INVENTORY)
    lengths = f"{pins.LENGTHS.start} à {pins.LENGTHS.stop - 1} chiffres · {pins.LENGTHS.start} to {pins.LENGTHS.stop - 1} digits"
    assert said[1:] == [
        *(f"{patience.PATIENCE[step]} s" for step in steps),
        f"{patience.ASKING_FOR} s",
        f"{patience.PATIENCE[Step.DONE]} s",
        f"{patience.RECEIPT_FOR} s",
        f"{patience.NOTICE_FOR} s",
        lengths,
        str(pins.TRIES),
        f"{pins.LOCKED_FOR.seconds // 60} min",
    ]


# ---- CSV files

#: Words that a cell or a heading may hold, as the import knows them: without accents and capitals.
WORDS = {
    "columns of items": imports.ITEM_COLUMNS,
    "columns of people": imports.PEOPLE_COLUMNS,
    "kinds": imports.KINDS,
    "states": imports.STATES,
    "roles": imports.ROLES,
    "tiers": imports.TIERS,
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_every_word_that_an_import_accepts_is_in_the_documents(words: dict[str, object]) -> None:
    told = {plain(word) for row in rows(DOCS / "csv.md") for cell in row for word in re.findall(r"`([^`]+)`", cell)}
    assert {word for word in words if word} <= told


def test_the_columns_that_an_import_requires_are_marked_so() -> None:
    marked = {
        plain(name)
        for row in rows(DOCS / "csv.md")
        if "required" in row[1]
        for name in re.findall(r"`([^`]+)`", row[0])
    }
    known = {**imports.ITEM_COLUMNS, **imports.PEOPLE_COLUMNS}
    assert {known[name] for name in marked} == {*imports.ITEM_REQUIRED, *imports.PEOPLE_REQUIRED}


def test_the_csv_files_in_the_documents_can_be_read() -> None:
    blocks = [
        text for page in PAGES for text in re.findall(r"^```csv\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)
    ]
    assert blocks
    for text in blocks:
        columns = imports.PEOPLE_COLUMNS if text.startswith("nom") else imports.ITEM_COLUMNS
        sheet = read_sheet(text.encode(), columns, sorted(set(columns.values()) - {"hook", "uid"}))
        assert sheet.rows
        assert sheet.faults == []


@pytest.mark.parametrize(("language", "column"), [("fr", 0), ("en", 1)])
def test_the_headings_of_an_export_are_in_the_documents(language: str, column: int) -> None:
    catalogue = Translations.load(ROOT / "web" / "translations", [language])
    headings = [row[column] for row in rows(DOCS / "csv.md") if len(row) == 2][1:]
    assert headings == [catalogue.gettext(f"cli.column.{name}") for name in inventory.COLUMNS]


# ---- MQTT


@pytest.mark.parametrize("page", TWINS, ids=lambda page: page.name)
def test_the_topics_of_the_readme_are_the_contracts(page: Path) -> None:
    contract = yaml.safe_load(read(DOCS / "asyncapi.yaml"))
    told = [row[0].strip("`") for row in rows(page) if row[0].startswith("`trousseau/")]
    assert told == [channel["address"] for channel in contract["channels"].values()]


# ---- README


def headings(page: Path) -> list[int]:
    text = BLOCK.sub("", read(page))
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


def test_the_two_readmes_have_the_same_headings_commands_and_links() -> None:
    french, english = TWINS
    assert headings(french) == headings(english)
    assert BLOCK.findall(read(french)) == BLOCK.findall(read(english))
    assert links(french)[1:] == links(english)[1:]
    assert (links(french)[0], links(english)[0]) == ("README.en.md", "README.md")
    assert [len(row) for row in rows(french)] == [len(row) for row in rows(english)]


def test_the_english_readme_has_no_french_left() -> None:
    text = BLOCK.sub("", read(TWINS[1])).casefold()
    assert re.findall(r"\b(?:les|une|des|est|pour|avec|dans|sur|qui|puis|signez|cliquez)\b", text) == []


def test_every_make_command_of_the_readme_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", read(ROOT / "Makefile"), re.MULTILINE))
    for page in TWINS:
        typed = [line for block in BLOCK.findall(read(page)) for line in block.splitlines() if line.startswith("make")]
        assert typed
        assert {line.removeprefix("make").strip() or "demo" for line in typed} <= targets


def test_the_readme_shows_the_pictures_that_the_browser_tests_make() -> None:
    made = set(re.findall(r'keep\([^)]*"([a-z-]+)"\)', read(ROOT / "tests" / "e2e" / "test_pictures.py")))
    shown = {Path(target).stem for target in links(TWINS[0]) if target.startswith("docs/pictures/")}
    assert shown
    assert shown <= made


# ---- links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    missing = [target for target in links(page) if not (page.parent / target.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_left_to_be_written(page: Path) -> None:
    assert re.findall(r"\b(?:TODO|FIXME|TBD|XXX|À REMPLIR)\b", read(page)) == []


# ---- the procedure, clause by clause


def clauses() -> list[list[str]]:
    return [row for row in rows(DOCS / "procedure.md") if row[0].startswith("§ ")]


def test_every_part_of_the_procedure_has_its_rows() -> None:
    assert [row[0] for row in clauses()] == sorted(row[0] for row in clauses())
    assert {row[0] for row in clauses()} == {"§ 1", "§ 2", "§ 3", "§ 4"}


@pytest.mark.parametrize("clause", clauses(), ids=lambda row: row[1])
def test_every_clause_has_its_code_its_screen_and_its_test_or_is_still_to_come(clause: list[str]) -> None:
    _, _, _, code, screen, test = clause
    if code == "à venir":
        assert (screen, test) == ("", "")
    else:
        assert LINK.search(code)
        assert screen
        assert LINK.search(test)


def functions(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(read(file))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", [*rows(DOCS / "procedure.md")], ids=lambda row: row[1])
def test_every_test_that_the_procedure_names_exists(row: list[str]) -> None:
    for name, target in re.findall(r"\[`([^`\]]+)`\]\(([^)]+)\)", row[-1]):
        assert target.startswith("../tests/")
        assert name in functions(DOCS / target)


# ---- decisions


def test_every_decision_is_listed_under_its_title_and_has_its_three_parts() -> None:
    decisions = sorted(ADRS.glob("[0-9]*.md"))
    listed = {LINK.findall(row[0])[0]: row[1] for row in rows(ADRS / "README.md") if LINK.search(row[0])}
    assert sorted(listed) == [decision.name for decision in decisions]
    for number, decision in enumerate(decisions, 1):
        text = read(decision)
        assert text.startswith(f"# {number:04d}. {listed[decision.name]}\n")
        assert decision.name.startswith(f"{number:04d}-")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_every_decision_that_the_code_names_exists() -> None:
    numbers = {decision.name[:4] for decision in ADRS.glob("[0-9]*.md")}
    for folder in ("kiosk", "web", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            assert set(re.findall(r"\bADR (\d{4})\b", read(file))) <= numbers, file.name
