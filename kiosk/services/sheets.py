"""CSV files as people save them: French Excel or anything else, checked line by line, all faults together."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, TypeVar

from kiosk.domain.errors import BadImport

_T = TypeVar("_T")
LONGEST: Final = 200
_DATE_FORMATS: Final = ("%Y-%m-%d", "%d/%m/%Y")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line: a code of the catalogue (`import.<code>`), the column, and the value found."""

    line: int
    code: str
    column: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file. Reading a value that is not as it should be notes a fault and gives None."""

    line: int
    cells: Mapping[str, str]
    faults: list[Fault]

    def text(self, column: str) -> str:
        """A cell's text, which may be empty."""
        return self.cells.get(column, "")

    def fault(self, code: str, column: str = "") -> None:
        """Note a fault."""
        self.faults.append(Fault(self.line, code, column, self.text(column)[:LONGEST]))

    def word(self, column: str, words: Mapping[str, _T]) -> _T | None:
        """What a word means."""
        found = words.get(plain(self.text(column)))
        if found is None:
            self.fault("unknown_word", column)
        return found

    def date(self, column: str) -> date | None:
        """A date, `2026-11-23` or `23/11/2026`."""
        for format_ in _DATE_FORMATS:
            try:
                return datetime.strptime(self.text(column), format_).date()
            except ValueError:
                continue
        self.fault("not_a_date", column)
        return None


@dataclass(slots=True)
class Sheet:
    """A file's rows, and every fault found in it."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def require_no_faults(self) -> None:
        """Raise BadImport with every fault, by line."""
        if self.faults:
            raise BadImport(faults=sorted(self.faults, key=lambda fault: fault.line))


def plain(text: str) -> str:
    """Without accents, capitals and doubled spaces: `Clé  à code` is `cle a code`."""
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'").replace("_", " "))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).casefold().split())


def read_sheet(content: bytes, columns: Mapping[str, str], required: Sequence[str]) -> Sheet:
    """Read a CSV file; `columns` maps plain headings to names, `required` cells may not be empty.

    Raises:
        BadImport: not text, no heading line, or a column is missing.
    """
    reader = csv.reader(io.StringIO(_decode(content), newline=""), _Dialect(content))
    sheet = Sheet()
    try:
        headings = [columns.get(plain(heading), "") for heading in next(reader, [])]
        sheet.faults += [Fault(1, "missing_column", name) for name in required if name not in headings]
        sheet.require_no_faults()
        for cells in reader:
            if any(cell.strip() for cell in cells):
                sheet.rows.append(_row(sheet, reader.line_num, headings, cells, required))
    except csv.Error as e:
        sheet.faults.append(Fault(reader.line_num, "not_csv", value=str(e)))
        sheet.require_no_faults()
    return sheet


def _row(sheet: Sheet, line: int, headings: Sequence[str], cells: Sequence[str], required: Sequence[str]) -> Row:
    named = dict(zip(headings, (cell.strip() for cell in cells), strict=False))
    row = Row(line, named, sheet.faults)
    if len(cells) > len(headings):
        row.fault("too_many_cells")
    for name in required:
        if not row.text(name):
            row.fault("empty", name)
    for name, cell in named.items():
        if len(cell) > LONGEST:
            row.fault("too_long", name)
        elif any(unicodedata.category(c) in ("Cc", "Cs") for c in cell):
            row.fault("control_character", name)
    return row


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What « CSV (séparateur : point-virgule) » of a French Excel writes; it reads any bytes, so it comes last.
        return content.decode("cp1252", errors="replace")


class _Dialect(csv.Dialect):
    """Semicolons where the heading line has them, else commas."""

    quotechar = '"'
    doublequote = True
    skipinitialspace = True
    lineterminator = "\r\n"
    quoting = csv.QUOTE_MINIMAL
    strict = True

    def __init__(self, content: bytes) -> None:
        self.delimiter = ";" if b";" in content.split(b"\n", 1)[0] else ","
        super().__init__()
