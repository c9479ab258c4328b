"""`kiosk receipt` and `kiosk export`, and how both are written at headquarters too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

import click

from kiosk import bootstrap, config, keys
from kiosk.cli.inventory import local_time
from kiosk.cli.progress import bar
from kiosk.cli.texts import t
from kiosk.ledger.checkpoint import Checkpoint, open_cosigned
from kiosk.ledger.errors import UnknownKey
from kiosk.ledger.export import OFTEN, write_export
from kiosk.ledger.note import Note
from kiosk.ledger.receipt import Receipt
from kiosk.services.receipts import Export
from kiosk.services.timestamps import timestamp

#: A file to write; `-` is standard output.
NEW_FILE: Final = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command(help=t("cli.receipt.help"))
@click.argument("entry", metavar="ID")
@click.argument("file", type=NEW_FILE)
@click.pass_obj
def receipt(folder: Path, entry: str, file: Path) -> None:
    """Write the receipt of an entry of this cabinet."""
    with bootstrap.reading_receipts(config.read(folder)) as receipts:
        keep_receipt(folder, receipts.receipt(receipts.id_of(entry)), file)


@click.command(help=t("cli.export.help"))
@click.argument("file", type=NEW_FILE)
@click.pass_obj
def export(folder: Path, file: Path) -> None:
    """Write this cabinet's journal as an export."""
    with bootstrap.reading_receipts(config.read(folder)) as receipts:
        keep_export(folder, receipts.export(), file)


def keep_receipt(folder: Path, proof: bytes, file: Path) -> None:
    """Write a receipt, and tell whether headquarters has seen what it is for."""
    with _written(file) as out:
        out.write(proof)
    _tell(t("cli.receipt.written", file=file), Receipt.parse(proof).checkpoint, folder, file)


def keep_export(folder: Path, found: Export, file: Path) -> None:
    """Write an export, and tell how far headquarters has seen it."""
    with bar(t("cli.exporting")) as progress, _written(file) as out:
        write_export(_counted(found, progress), found.head, out)
    _tell(t("cli.export.written", file=file), found.head, folder, file)


def _counted(found: Export, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    for done, entry in enumerate(found.entries, 1):
        yield entry
        if done % OFTEN == 0:
            # The journal may grow meanwhile.
            progress(done, max(done, found.size))


@contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    try:
        with click.open_file(str(file), "wb") as out:
            yield cast(BinaryIO, out)
    except OSError as e:
        raise click.FileError(str(file), e.strerror) from e


def _tell(written: str, head: bytes, folder: Path, file: Path) -> None:
    """What was done; beside standard output when that is the file."""
    click.echo(f"{written} {_seen(head, folder)}", err=str(file) == "-")


def _seen(head: bytes, folder: Path) -> str:
    """By whom this head was seen, and when."""
    origin = Checkpoint.parse(Note.parse(head).text).origin
    try:
        cosigned = open_cosigned(head, origin, keys.witnesses(keys.public(folder)))
    except UnknownKey:
        return t("cli.ledger.unseen")
    at = local_time(timestamp(datetime.fromtimestamp(cosigned.at, UTC)))
    return t("cli.ledger.seen", at=at, size=cosigned.checkpoint.size)
