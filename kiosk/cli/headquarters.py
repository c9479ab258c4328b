"""`kiosk hq …`"""

from __future__ import annotations

from pathlib import Path

import click

from kiosk import bootstrap, config, keys
from kiosk.cli import inventory
from kiosk.cli.hq_keys import cabinet, hq_keys
from kiosk.cli.hq_quarantine import quarantine
from kiosk.cli.hq_watch import alarm, status
from kiosk.cli.ledger import NEW_FILE, keep_export, keep_receipt
from kiosk.cli.register import write_csv
from kiosk.cli.texts import t
from kiosk.daemon import wait_for_end


@click.group(help=t("cli.hq.help"))
def hq() -> None:
    """Headquarters."""


for _command in (hq_keys, cabinet, status, alarm, quarantine):
    hq.add_command(_command)


@hq.command(help=t("cli.hq.init"))
@click.pass_obj
def init(folder: Path) -> None:
    """Make headquarters' signing key."""
    bootstrap.initialise_headquarters(folder)
    click.echo(t("cli.hq.init_done", settings=folder / config.FILE, key=folder / keys.WITNESS_KEY))


@hq.command(help=t("cli.hq.subscribe"))
@click.pass_obj
def subscribe(folder: Path) -> None:
    """Keep every cabinet's entries and documents until told to stop."""
    settings = config.read(folder)
    with bootstrap.headquarters(settings, bootstrap.broker(settings)):
        click.echo(t("cli.hq.subscribed", host=settings.broker.host, port=settings.broker.port))
        wait_for_end()


@hq.command("register", help=t("cli.hq.register"))
@click.option("--csv", "file", type=NEW_FILE, help=t("cli.hq.csv"))
@click.pass_obj
def register(folder: Path, file: Path | None) -> None:
    """Print the central register, or write it as CSV."""
    with bootstrap.central_register(config.read(folder)) as found:
        if file is None:
            inventory.show(found.inventory)
        else:
            write_csv(found.inventory, file)


@hq.command(help=t("cli.hq.receipt"))
@click.argument("entry", metavar="ID")
@click.argument("file", type=NEW_FILE)
@click.pass_obj
def receipt(folder: Path, entry: str, file: Path) -> None:
    """Write the receipt of an entry of any cabinet."""
    with bootstrap.central_receipts(config.read(folder)) as receipts:
        keep_receipt(folder, receipts.receipt(entry), file)


@hq.command(help=t("cli.hq.export"))
@click.argument("journal")
@click.argument("file", type=NEW_FILE)
@click.pass_obj
def export(folder: Path, journal: str, file: Path) -> None:
    """Write a journal, or a cabinet's newest one, as an export."""
    with bootstrap.central_receipts(config.read(folder)) as receipts:
        keep_export(folder, receipts.export(journal), file)
