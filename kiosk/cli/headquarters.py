"""`kiosk hq …`"""

from __future__ import annotations

from pathlib import Path

import click

from kiosk import bootstrap, config
from kiosk.cli import inventory
from kiosk.cli.register import write_csv
from kiosk.cli.texts import t
from kiosk.daemon import wait_for_end


@click.group(help=t("cli.hq.help"))
def hq() -> None:
    """Headquarters."""


@hq.command(help=t("cli.hq.subscribe"))
@click.pass_obj
def subscribe(folder: Path) -> None:
    """Keep every cabinet's entries and documents until told to stop."""
    settings = config.read(folder)
    with bootstrap.headquarters(settings, bootstrap.broker(settings)):
        click.echo(t("cli.hq.subscribed", host=settings.broker.host, port=settings.broker.port))
        wait_for_end()


@hq.command("register", help=t("cli.hq.register"))
@click.option("--csv", "file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), help=t("cli.hq.csv"))
@click.pass_obj
def register(folder: Path, file: Path | None) -> None:
    """Print the central register, or write it as CSV."""
    with bootstrap.central_register(config.read(folder)) as found:
        if file is None:
            inventory.show(found.inventory)
        else:
            write_csv(found.inventory, file)
