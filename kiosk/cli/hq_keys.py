"""`kiosk hq keys …` and `kiosk hq cabinet …`: headquarters' keys, and whom it lets in."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk import bootstrap, config, keys
from kiosk.cli.keys import KEY_FILE, listed, print_keys, read_keys
from kiosk.cli.texts import t


@click.group("keys", help=t("cli.hq.keys.help"))
def hq_keys() -> None:
    """Headquarters' keys."""


@hq_keys.command(help=t("cli.hq.keys.show"))
@click.pass_obj
def show(folder: Path) -> None:
    """Print what a verifier needs, as a key file."""
    print_keys(t("cli.hq.keys.for_verifiers"), bootstrap.verifier_keys(config.read(folder)))


@hq_keys.command(help=t("cli.hq.keys.current"))
@click.pass_obj
def current(folder: Path) -> None:
    """Print the keys that headquarters signs with now, as the key file that cabinets are to believe."""
    print_keys(t("cli.hq.cabinet.for_cabinets"), keys.own(config.read(folder).folder, keys.WITNESS_KEY))


@hq_keys.command(help=t("cli.hq.keys.rotate"))
@click.pass_obj
def rotate(folder: Path) -> None:
    """Add a new key beside the present ones."""
    new = keys.rotate(config.read(folder).folder, keys.WITNESS_KEY)
    click.echo(t("cli.hq.keys.rotated", keys=listed([new.verifier])))


@hq_keys.command(help=t("cli.hq.keys.retire"))
@click.pass_obj
def retire(folder: Path) -> None:
    """Drop every secret key but the newest."""
    dropped = keys.retire(config.read(folder).folder, keys.WITNESS_KEY)
    click.echo(t("cli.hq.keys.retired", count=dropped) if dropped else t("cli.keys.only_one"))


@click.group(help=t("cli.hq.cabinet.help"))
def cabinet() -> None:
    """The cabinets that are let in."""


@cabinet.command(help=t("cli.hq.cabinet.add"))
@click.argument("file", type=KEY_FILE)
@click.pass_obj
def add(folder: Path, file: Path) -> None:
    """Let a cabinet in. Standard output is headquarters' own key file, for the cabinet; what people read goes beside it."""
    settings = config.read(folder)
    # Before anything is changed: without it there is nothing to hand back.
    own = keys.own(settings.folder, keys.WITNESS_KEY)
    given = read_keys(file, keys.logs)
    done = bootstrap.enrol_cabinet(settings, given)
    for key in given:
        said = t("cli.hq.cabinet.added", key=key) if key in done.new else t("cli.hq.cabinet.known", key=key)
        click.echo(said, err=True)
    for key in done.retired:
        click.echo(t("cli.hq.cabinet.retired", key=key), err=True)
    click.echo(t("cli.hq.cabinet.next"), err=True)
    print_keys(t("cli.hq.cabinet.for_cabinets"), own)


@cabinet.command(help=t("cli.hq.cabinet.close"))
@click.argument("journal")
@click.pass_obj
def close(folder: Path, journal: str) -> None:
    """Take in nothing more of a journal."""
    closed = bootstrap.close_log(config.read(folder), journal)
    click.echo(t("cli.hq.cabinet.closed", keys=listed(closed)))
