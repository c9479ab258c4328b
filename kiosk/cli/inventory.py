"""The register as a table on a terminal and as a CSV file that a French Excel opens."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TextIO

from babel.dates import format_datetime, get_timezone

from kiosk.cli.tables import print_table
from kiosk.cli.texts import t
from kiosk.domain.identifiers import Timestamp
from kiosk.services.ports import InventoryFilter, InventoryLine, InventoryPage
from kiosk.services.timestamps import moment

PAGE: Final = 500
#: Marks UTF-8 for Excel, which takes the file for its own 8-bit alphabet otherwise.
BOM: Final = "\ufeff"
#: A cell that begins with one of these may be run as a formula; an apostrophe in front makes it text.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

COLUMNS: Final = (
    "id",
    "designation",
    "kind",
    "client",
    "site",
    "received",
    "in_charge",
    "state",
    "place",
    "holder",
    "hook",
    "since",
    "awaiting_countersignature",
    "blocked",
)
SHORT: Final = ("id", "designation", "client", "site", "state", "place", "holder", "since")

#: Babel brings its own table of time zones; a small machine may have none.
_ZONE: Final = get_timezone("Europe/Paris")

Read = Callable[[InventoryFilter, int, int], InventoryPage]
Progress = Callable[[int, int], None]


def lines(read: Read) -> Iterator[tuple[InventoryLine, int]]:
    """Every line, with the number of all of them; read page by page, so that no reader holds up the cabinet."""
    page = 1
    while True:
        found = read(InventoryFilter(), page, PAGE)
        for line in found.lines:
            yield line, found.total
        if page >= found.pages:
            return
        page += 1


def show(read: Read) -> None:
    """Print the register as a table."""
    print_table([t(f"cli.column.{name}") for name in SHORT], (_cells(line, SHORT) for line, _ in lines(read)))


def export(read: Read, file: TextIO, progress: Progress) -> None:
    """Write the register as CSV: semicolons, UTF-8 with its mark, and no cell that a spreadsheet would run."""
    file.write(BOM)
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    writer.writerow([t(f"cli.column.{name}") for name in COLUMNS])
    for done, (line, total) in enumerate(lines(read), 1):
        writer.writerow([harmless(cell) for cell in _cells(line, COLUMNS)])
        progress(done, total)


def harmless(cell: str) -> str:
    """A cell that is text and stays text."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _cells(line: InventoryLine, columns: Sequence[str]) -> list[str]:
    item = line.item
    values = {
        "id": item.id,
        "designation": line.designation,
        "kind": t(f"kind.{item.kind}"),
        "client": line.client,
        "site": line.site,
        "received": item.received,
        "in_charge": line.in_charge,
        "state": t(f"state.{item.state}"),
        "place": t(f"place.{item.place}"),
        "holder": line.holder or "",
        "hook": item.hook or "",
        "since": local_time(item.since),
        "awaiting_countersignature": _yes(item.awaiting_countersignature),
        "blocked": _yes(item.blocked),
    }
    return [values[name] for name in columns]


def local_time(time: Timestamp) -> str:
    """As a French spreadsheet reads a moment."""
    return format_datetime(moment(time), "dd/MM/yyyy HH:mm:ss", tzinfo=_ZONE, locale="fr")


def _yes(value: bool) -> str:
    return t("cli.yes") if value else t("cli.no")
