"""`kiosk pki`"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk.cli.texts import t
from kiosk.pki import make


@click.command(help=t("cli.pki.help"))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--host", "hosts", metavar="HOST", multiple=True, help=t("cli.pki.host"))
def pki(folder: Path, names: Sequence[str], hosts: Sequence[str]) -> None:
    """Make certificates for trials."""
    made = make(folder, names, hosts, datetime.now(UTC))
    click.echo(t("cli.pki.done", folder=str(folder), names=", ".join(made)))
