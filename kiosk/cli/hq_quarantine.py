"""`kiosk hq quarantine …`: messages that headquarters could not place. They come from outside, so they are shown spelt out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from kiosk import bootstrap, config
from kiosk.cli.hq_watch import NUMBER
from kiosk.cli.hq_words import reason
from kiosk.cli.inventory import local_time
from kiosk.cli.tables import headings, print_table
from kiosk.cli.texts import t
from kiosk.ledger.verify import printable
from kiosk.store.supervision import Quarantined

COLUMNS: Final = ("number", "cabinet", "reason", "topic", "times", "last")
#: Bytes on a line.
_LINE: Final = 16


@click.group(help=t("cli.hq.quarantine"))
def quarantine() -> None:
    """What could not be placed."""


@quarantine.command("list", help=t("cli.quarantine.list"))
@click.pass_obj
def list_(folder: Path) -> None:
    """Print every message in quarantine, oldest first."""
    with bootstrap.supervision(config.read(folder)) as supervision:
        print_table(headings(COLUMNS), map(_row, supervision.quarantined()))


@quarantine.command(help=t("cli.quarantine.show"))
@click.argument("number", metavar="ID", type=NUMBER)
@click.pass_obj
def show(folder: Path, number: int) -> None:
    """Print a message with all that is known of it."""
    with bootstrap.supervision(config.read(folder)) as supervision:
        one = supervision.find(number)
    shown = t(
        "cli.quarantine.shown",
        number=one.id,
        node=printable(one.node),
        reason=reason(one.reason),
        topic=printable(one.topic),
        digest=one.digest,
        times=one.times,
        first=local_time(one.first),
        last=local_time(one.last),
        size=len(one.payload),
    )
    click.echo(f"{shown}\n\n{readable(one.payload)}")


@quarantine.command(help=t("cli.quarantine.release"))
@click.argument("number", metavar="ID", type=NUMBER)
@click.pass_obj
def release(folder: Path, number: int) -> None:
    """Judge a message again."""
    done = bootstrap.release(config.read(folder), number)
    click.echo(
        t("cli.quarantine.refused", number=number) if done.refused else t("cli.quarantine.placed", number=number)
    )


@quarantine.command(help=t("cli.quarantine.discard"))
@click.argument("number", metavar="ID", type=NUMBER)
@click.pass_obj
def discard(folder: Path, number: int) -> None:
    """Throw a message away."""
    with bootstrap.supervision(config.read(folder)) as supervision:
        digest = supervision.find(number).digest
        supervision.release(number)
    click.echo(t("cli.quarantine.discarded", number=number, digest=digest))


def _row(one: Quarantined) -> list[str]:
    where = printable(one.node), reason(one.reason), printable(one.topic)
    return [str(one.id), *where, str(one.times), local_time(one.last)]


# ---- a payload for a person to read


def readable(payload: bytes) -> str:
    """JSON in lines, other text as it is, and anything else as bytes; nothing in it steers a terminal."""
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(_dump(payload))
    try:
        made = json.dumps(json.loads(text, object_pairs_hook=_once), ensure_ascii=False, indent=2)
        return "\n".join(map(printable, made.split("\n")))
    except (ValueError, RecursionError):
        lines = text.split("\n")
        return text if all(map(str.isprintable, lines)) else "\n".join(_dump(payload))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; one with a name twice would be shown with one of them hidden."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name twice")
    return found


def _dump(payload: bytes) -> Iterator[str]:
    for at in range(0, len(payload), _LINE):
        line = payload[at : at + _LINE]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
        yield f"{at:08x}  {line.hex(' '):<{3 * _LINE}} {shown}"
