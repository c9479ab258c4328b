"""Tables on a terminal. What people have named is printed as they wrote it: neither markup nor emoji codes mean anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table

from kiosk.cli.texts import t


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under headings."""
    # On a narrow terminal a cell goes on below, rather than lose its end.
    table = Table(*(Column(heading, overflow="fold") for heading in headings), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, emoji=False, highlight=False).print(table)


def headings(columns: Iterable[str]) -> list[str]:
    """The headings of columns, by their names in the catalogue."""
    return [t(f"cli.column.{name}") for name in columns]
