"""`kiosk restore`"""

from __future__ import annotations

from pathlib import Path

import click

from kiosk import config, restore
from kiosk.cli.progress import bar
from kiosk.cli.texts import t


@click.command("restore", help=t("cli.restore.help"))
@click.option("--from-hq", is_flag=True, required=True, help=t("cli.restore.from_hq"))
@click.pass_obj
def restore_command(folder: Path, from_hq: bool) -> None:  # noqa: ARG001 - the one source that there is, and it has to be named
    """Make the cabinet's journal anew from headquarters' copy."""
    settings = config.read(folder)
    with bar(t("cli.restore.running")) as progress:
        done = restore.restore(settings, progress)
    click.echo(t("cli.restore.done", entries=done.entries, documents=done.documents))
    if done.unread:
        click.echo(t("cli.restore.unread"))
    if done.missing:
        click.echo(t("cli.restore.missing", count=done.missing))
    if done.evidence:
        click.echo(t("cli.restore.evidence", count=done.evidence))
    if done.set_aside is not None:
        click.echo(t("cli.restore.set_aside", path=str(done.set_aside)))
    click.echo(t("cli.restore.next", former=done.former, vkey=str(done.key)))
