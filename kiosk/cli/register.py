"""`kiosk register …`"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import click

from kiosk import bootstrap, config, control
from kiosk.cli import inventory
from kiosk.cli.progress import bar
from kiosk.cli.texts import t


@click.group(help=t("cli.register.help"))
def register() -> None:
    """The register."""


@register.command("import", help=t("cli.register.import"))
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def import_(folder: Path, file: Path) -> None:
    """Bring access means in; all of the file, or none and every fault by line."""
    count = send_file(folder, "import_items", file)
    click.echo(t("cli.register.imported", count=count))


@register.command("list", help=t("cli.register.list"))
@click.pass_obj
def list_(folder: Path) -> None:
    """Print the register."""
    with bootstrap.reading_register(config.read(folder)) as found:
        inventory.show(found.inventory)


@register.command(help=t("cli.register.export"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.pass_obj
def export(folder: Path, file: Path) -> None:
    """Write the register as CSV."""
    with bootstrap.reading_register(config.read(folder)) as found:
        write_csv(found.inventory, file)


@register.command(help=t("cli.register.refold"))
@click.pass_obj
def refold(folder: Path) -> None:
    """Fold the register anew from the journal."""
    with bar(t("cli.register.refolding")) as progress:
        count = control.call(config.read(folder).control, "refold", progress)
    click.echo(t("cli.register.refolded", count=count))


def send_file(folder: Path, command: str, file: Path) -> int:
    """Have the running service import a file."""
    content = base64.b64encode(file.read_bytes()).decode("ascii")
    with bar(t("cli.importing")) as progress:
        return int(control.call(config.read(folder).control, command, progress, content=content))


def write_csv(read: inventory.Read, file: Path) -> None:
    """Write an inventory to `file`, or to standard output for `-`."""
    with bar(t("cli.exporting")) as progress:
        if str(file) == "-":
            inventory.export(read, sys.stdout, progress)
            return
        try:
            with file.open("w", encoding="utf-8", newline="") as out:
                inventory.export(read, out, progress)
        except OSError as e:
            raise click.FileError(str(file), e.strerror) from e
