"""`kiosk keys …`, and the key files that cabinets and headquarters hand each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from kiosk import config, keys
from kiosk.cli.texts import t
from kiosk.domain.errors import ForeignKey
from kiosk.ledger.checkpoint import node_and_stream
from kiosk.ledger.note import VerifierKey

#: A key file to read; `-` is standard input.
KEY_FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)


@click.group("keys", help=t("cli.keys.help"))
def keys_group() -> None:
    """The keys of a cabinet."""


@keys_group.command(help=t("cli.keys.show"))
@click.pass_obj
def show(folder: Path) -> None:
    """Print the public keys that the cabinet signs with, as a key file."""
    own = keys.own(config.read(folder).folder, keys.LOG_KEY)
    node, _ = node_and_stream(own[-1].name)
    print_keys(t("cli.keys.of_cabinet", node=node), own)


@keys_group.command(help=t("cli.keys.trust"))
@click.argument("file", type=KEY_FILE)
@click.pass_obj
def trust(folder: Path, file: Path) -> None:
    """Believe these keys of headquarters from now on, and no others; the running service does so at once."""
    settings = config.read(folder)
    found = read_keys(file, keys.witnesses)
    keys.trust(settings.folder, found)
    click.echo(t("cli.keys.trusted", keys=listed(found)))


@keys_group.command(help=t("cli.keys.rotate"))
@click.pass_obj
def rotate(folder: Path) -> None:
    """Add a new key beside the present ones."""
    new = keys.rotate(config.read(folder).folder, keys.LOG_KEY)
    click.echo(t("cli.keys.rotated", keys=listed([new.verifier])))


@keys_group.command(help=t("cli.keys.retire"))
@click.pass_obj
def retire(folder: Path) -> None:
    """Drop every secret key but the newest."""
    dropped = keys.retire(config.read(folder).folder, keys.LOG_KEY)
    click.echo(t("cli.keys.retired", count=dropped) if dropped else t("cli.keys.only_one"))


# ---- key files


def read_keys(file: Path, expected: Callable[[Sequence[VerifierKey]], Sequence[VerifierKey]]) -> Sequence[VerifierKey]:
    """The public keys in a file, or on standard input for `-`; `expected` picks those that the command is about.

    Raises:
        ForeignKey: the file holds none of them, or anything else. One for verifiers holds retired keys among others, which would
            count again.
    """
    name = t("cli.keys.standard_input") if str(file) == "-" else str(file)
    try:
        with click.open_file(str(file), "rb") as given:
            found = keys.read_public(given.read(), name)
    except OSError as e:
        raise click.FileError(str(file), e.strerror) from e
    if not found or expected(found) != found:
        raise ForeignKey(path=name)
    return found


def print_keys(remark: str, found: Iterable[VerifierKey]) -> None:
    """Print a key file: a remark, then a key on each line."""
    click.echo("\n".join([f"# {remark}", *map(str, found)]))


def listed(found: Iterable[VerifierKey]) -> str:
    """Keys within a message, for people to compare."""
    return "\n".join(f"  {key}" for key in found)
