"""`kiosk hq status` and `kiosk hq alarm …`: how every cabinet is, and what a person has to look at."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from kiosk import bootstrap, config
from kiosk.cli.hq_words import detail
from kiosk.cli.inventory import local_time
from kiosk.cli.tables import headings, print_table
from kiosk.cli.texts import t
from kiosk.ledger.verify import printable
from kiosk.store.supervision import Alarm, CabinetLine, Presence

CABINET_COLUMNS: Final = (
    "cabinet",
    "journal",
    "presence",
    "seen",
    "cosigned",
    "lag",
    "documents",
    "health",
)
ALARM_COLUMNS: Final = ("number", "cabinet", "alarm", "detail", "times", "first", "last")
#: Of alarms only the newest are shown.
MOST_ALARMS: Final = 20
#: Of a journal's name; enough to tell a cabinet's journals from each other.
_SHORT: Final = 8
#: The number of an alarm or of a message: databases count no further.
NUMBER: Final = click.IntRange(1, 2**31 - 1)


@click.command(help=t("cli.hq.status"))
@click.option("--check", is_flag=True, help=t("cli.hq.check"))
@click.pass_obj
def status(folder: Path, check: bool) -> None:
    """Print every cabinet, then how much is in quarantine, then the newest alarms."""
    with bootstrap.supervision(config.read(folder)) as supervision:
        cabinets, alarms = supervision.cabinets(), supervision.alarms()
        quarantined = supervision.quarantine_size()
    if cabinets:
        print_table(headings(CABINET_COLUMNS), map(_cabinet, cabinets))
    else:
        click.echo(t("cli.hq.no_cabinet"))
    click.echo(t("cli.hq.quarantined", count=quarantined) if quarantined else t("cli.hq.none_quarantined"))
    _show_alarms(alarms)
    if check and (alarms or quarantined or any(map(_ails, cabinets))):
        sys.exit(1)


def _show_alarms(alarms: Sequence[Alarm]) -> None:
    if not alarms:
        click.echo(t("cli.hq.no_alarm"))
        return
    click.echo(t("cli.hq.alarms", count=len(alarms)))
    print_table(headings(ALARM_COLUMNS), map(_alarm, alarms[:MOST_ALARMS]))
    if len(alarms) > MOST_ALARMS:
        click.echo(t("cli.hq.older_alarms", count=len(alarms) - MOST_ALARMS))


def _cabinet(line: CabinetLine) -> list[str]:
    presence = line.presence
    return [
        line.node,
        line.stream[:_SHORT],
        _presence(line),
        local_time(presence.seen) if presence else "",
        str(line.cosigned),
        str(line.lag),
        t("cli.hq.missing", complete=line.complete, missing=line.missing) if line.missing else t("cli.hq.complete"),
        _health(line),
    ]


def _presence(line: CabinetLine) -> str:
    if line.closed:
        return t("cli.presence.closed")
    if line.presence is None:
        return t("cli.presence.never")
    if _current(line) is None:
        return t("cli.presence.former")
    return t("cli.presence.online") if line.presence.online else t("cli.presence.offline")


def _health(line: CabinetLine) -> str:
    if line.refused:
        return t("cli.health.refused")
    told = _current(line)
    return "–" if told is None or told.health is None else t(f"cli.health.{told.health}")


def _current(line: CabinetLine) -> Presence | None:
    """What the cabinet says of this journal; nothing when it now writes another."""
    return line.presence if line.presence and line.presence.stream == line.stream else None


def _ails(line: CabinetLine) -> bool:
    told = _current(line)
    return line.refused or (told is not None and told.health not in (None, "ok"))


def _alarm(alarm: Alarm) -> list[str]:
    return [
        str(alarm.id),
        printable(alarm.node) or t("cli.hq.itself"),
        t(f"cli.alarm.{alarm.kind}"),
        detail(alarm.kind, alarm.detail),
        str(alarm.times),
        local_time(alarm.first),
        local_time(alarm.last),
    ]


@click.group(help=t("cli.hq.alarm"))
def alarm() -> None:
    """Alarms."""


@alarm.command(help=t("cli.hq.close_alarm"))
@click.argument("number", metavar="ID", type=NUMBER)
@click.pass_obj
def close(folder: Path, number: int) -> None:
    """Take an alarm off the list."""
    with bootstrap.supervision(config.read(folder)) as supervision:
        supervision.close_alarm(number)
    click.echo(t("cli.hq.alarm_closed", number=number))
