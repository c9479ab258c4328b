"""The commands, and what they say when something is not as it should be."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from pathlib import Path
from typing import Final

import click

from kiosk import bootstrap, config
from kiosk.cli.headquarters import hq
from kiosk.cli.keys import keys_group
from kiosk.cli.ledger import export, receipt
from kiosk.cli.people import people
from kiosk.cli.pki import pki
from kiosk.cli.register import register
from kiosk.cli.restore import restore_command
from kiosk.cli.simulate import simulate
from kiosk.cli.tables import print_table
from kiosk.cli.texts import sentences, t
from kiosk.cli.verify import verify
from kiosk.daemon import WebServer, bare_address, running, screen_address, wait_for_end
from kiosk.demo import demonstration
from kiosk.domain.errors import TrousseauError

DEFAULT_FOLDER: Final = Path("var/cabinet")
#: Where one of these is set there is a screen to open a page on.
_DESKTOPS: Final = ("DISPLAY", "WAYLAND_DISPLAY")


@click.group(help=t("cli.help"))
@click.option(
    "--data",
    envvar="KIOSK_DATA",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_FOLDER,
    show_default=True,
    help=t("cli.data"),
)
@click.option("--verbose", is_flag=True, help=t("cli.verbose"))
@click.version_option(bootstrap.VERSION, prog_name="kiosk", help=t("cli.version"))
@click.pass_context
def kiosk(context: click.Context, data: Path, verbose: bool) -> None:
    """Everything below works on one data folder."""
    # Database, journal and settings are for their owner, whatever makes them.
    os.umask(0o077)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    context.obj = data.absolute()


@kiosk.command(help=t("cli.init.help"))
@click.argument("node")
@click.pass_obj
def init(folder: Path, node: str) -> None:
    """Make a cabinet's data folder."""
    bootstrap.initialise(folder, node)
    click.echo(t("cli.init.done", folder=str(folder), node=node))


@kiosk.command(help=t("cli.run.help"))
@click.pass_obj
def run(folder: Path) -> None:
    """Run the cabinet's service until it is told to stop."""
    with bootstrap.cabinet(config.read(folder)) as cabinet, running(cabinet) as web:
        click.echo(_where_to_look(cabinet, web))
        wait_for_end()


def _where_to_look(cabinet: bootstrap.Cabinet, web: WebServer) -> str:
    """The screen's address; its key is a secret, which does not belong in a service's log."""
    if sys.stdout.isatty():
        return t("cli.run.screen", address=screen_address(cabinet, web))
    return t("cli.run.screen_without_key", address=bare_address(web), file=str(cabinet.settings.screen_key))


@kiosk.command(help=t("cli.demo.help"))
@click.option("--port", type=click.IntRange(1, 65_535), default=8080, show_default=True, help=t("cli.demo.port"))
@click.pass_obj
def demo(folder: Path, port: int) -> None:
    """Run the whole thing, simulated."""
    click.echo(t("cli.demo.preparing"))
    with demonstration(folder, port) as demonstrated:
        click.echo(t("cli.demo.broker", what=demonstrated.broker.name, port=demonstrated.broker.address.port))
        address = screen_address(demonstrated.cabinet, demonstrated.web, "/demo")
        click.echo(t("cli.demo.open", address=address))
        if any(os.environ.get(name) for name in _DESKTOPS):
            webbrowser.open(address)
        wait_for_end()


@kiosk.group("config", help=t("cli.config.help"))
def config_group() -> None:
    """Settings."""


@config_group.command(help=t("cli.config.check"))
@click.pass_obj
def check(folder: Path) -> None:
    """List every setting in force, or every fault."""
    settings = config.read(folder)
    bootstrap.wires(settings)
    bootstrap.broker(settings)
    print_table(
        [t("cli.config.setting"), t("cli.config.value")],
        ((name, value or "–") for name, value in config.rows(settings)),
    )
    click.echo(t("cli.config.fine"))


for command in (register, people, simulate, keys_group, receipt, export, verify, restore_command, hq, pki):
    kiosk.add_command(command)


def main() -> None:
    """Run a command; an error of ours is told in its own words, with exit status 1."""
    try:
        kiosk(standalone_mode=True)
    except TrousseauError as e:
        for sentence in sentences(e):
            click.echo(sentence, err=True)
        sys.exit(1)
