"""`kiosk people …`"""

from __future__ import annotations

from pathlib import Path

import click

from kiosk import bootstrap, config, control
from kiosk.cli.register import send_file
from kiosk.cli.tables import print_table
from kiosk.cli.texts import t


@click.group(help=t("cli.people.help"))
def people() -> None:
    """People, their badges and PINs."""


@people.command("import", help=t("cli.people.import"))
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.pass_obj
def import_(folder: Path, file: Path) -> None:
    """Bring people in; all of the file, or none and every fault by line."""
    click.echo(t("cli.people.imported", count=send_file(folder, "import_people", file)))


@people.command("list", help=t("cli.people.list"))
@click.pass_obj
def list_(folder: Path) -> None:
    """Print who is in the register."""
    with bootstrap.reading_register(config.read(folder)) as register:
        rows = [
            (person.id, register.name_of(person.id), ", ".join(t(f"cli.role.{role}") for role in person.roles))
            for person in register.persons()
        ]
    print_table([t(f"cli.column.{name}") for name in ("id", "name", "roles")], rows)


@people.command(help=t("cli.people.pin"))
@click.argument("name")
@click.pass_obj
def pin(folder: Path, name: str) -> None:
    """Give a person a PIN, which also lifts a lock-out; asked for, never an argument that others could read."""
    chosen = click.prompt(t("cli.people.new_pin"), hide_input=True, confirmation_prompt=True)
    control.call(config.read(folder).control, "set_pin", name=name, pin=chosen)
    click.echo(t("cli.people.pin_set", name=name))
