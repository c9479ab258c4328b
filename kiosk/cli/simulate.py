"""`kiosk simulate …`: hands at the simulated cabinet, one movement at a time or a whole day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import click

from kiosk import config, control
from kiosk.cli.progress import bar
from kiosk.cli.screen import SimulatedScreen
from kiosk.cli.tables import print_table
from kiosk.cli.texts import t
from kiosk.config import Settings
from kiosk.demo import PINS, scribble


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of the day: whose badge, what is taken or brought back, and the PIN where the badge proves too little."""

    badge: str
    items: Sequence[str]
    brings: bool = False
    pin: str | None = None


#: A day at the demonstration's cabinet: mornings out, a swap at noon, everything back by the evening but one key.
DAY: Final = (
    Visit("nadia", ("T-001", "T-004")),
    Visit("thomas", ("T-005", "T-013"), pin=PINS["Thomas Lefèvre"]),
    Visit("aicha", ("T-008",)),
    Visit("julien", ("T-011", "T-012"), brings=True),
    Visit("julien", ("T-023", "T-024")),
    Visit("camille", ("T-016",), brings=True),
    Visit("nadia", ("T-004",), brings=True),
    Visit("nadia", ("T-009", "T-018", "T-019")),
    Visit("aicha", ("T-008", "T-020"), brings=True),
    Visit("thomas", ("T-005",), brings=True, pin=PINS["Thomas Lefèvre"]),
    Visit("julien", ("T-023", "T-024", "T-028"), brings=True),
    Visit("nadia", ("T-001", "T-009", "T-018", "T-019"), brings=True),
)


@click.group(help=t("cli.simulate.help"))
def simulate() -> None:
    """Move badges, keys and the door of the simulated cabinet."""


class Hands(Protocol):
    """Calls one of the simulated cabinet's commands."""

    def __call__(self, what: str, **arguments: str) -> None:
        """Do it."""
        ...


def _movement(name: str, command: str) -> None:
    """Add `kiosk simulate NAME TAG`."""

    @simulate.command(name, help=t(f"cli.simulate.{name}"))
    @click.argument("tag")
    @click.pass_obj
    def move(folder: Path, tag: str) -> None:
        control.call(config.read(folder).control, command, name=tag)


for _name in ("tap", "take", "hang"):
    _movement(_name, f"simulate_{_name}")


@simulate.command(help=t("cli.simulate.close"))
@click.pass_obj
def close(folder: Path) -> None:
    """Push the door shut."""
    control.call(config.read(folder).control, "simulate_close")


@simulate.command(help=t("cli.simulate.sign"))
@click.pass_obj
def sign(folder: Path) -> None:
    """Sign what the screen shows."""
    SimulatedScreen(config.read(folder)).sign(scribble())


@simulate.command(help=t("cli.simulate.pin"))
@click.argument("pin")
@click.pass_obj
def pin(folder: Path, pin: str) -> None:
    """Type a PIN on the screen."""
    SimulatedScreen(config.read(folder)).enter_pin(pin)


@simulate.command(help=t("cli.simulate.look"))
@click.pass_obj
def look(folder: Path) -> None:
    """Print what hangs where, and what there is to tap."""
    seen = control.call(config.read(folder).control, "simulate_look")
    cabinet = seen["cabinet"]
    hooks = {key: hook for hook, key in cabinet["hooks"].items() if key}
    rows = [(tag["name"], tag["label"], hooks.get(tag["name"], "")) for tag in seen["tags"]]
    print_table([t(f"cli.column.{name}") for name in ("id", "designation", "hook")], rows)
    click.echo(t("cli.simulate.door_open") if cabinet["door_open"] else t("cli.simulate.door_shut"))


@simulate.command(help=t("cli.simulate.day"))
@click.pass_obj
def day(folder: Path) -> None:
    """Live through a whole day."""
    settings = config.read(folder)
    with bar(t("cli.simulate.day_running")) as progress:
        for done, visit in enumerate(DAY, 1):
            live(settings, visit)
            progress(done, len(DAY))
    click.echo(t("cli.simulate.day_done", visits=len(DAY)))


def live(settings: Settings, visit: Visit) -> None:
    """One visit from badge to closed door, as hands and fingers do it."""

    def hands(what: str, **arguments: str) -> None:
        control.call(settings.control, f"simulate_{what}", **arguments)

    screen = SimulatedScreen(settings)
    screen.wait_for("idle")
    hands("tap", name=visit.badge)
    if visit.pin is not None:
        screen.enter_pin(visit.pin)
    screen.wait_for("open")
    move = _bring if visit.brings else _carry_off
    for item in visit.items:
        move(hands, item)
    screen.sign(scribble(), visit.items)
    screen.wait_for("done", "open")
    hands("close")
    screen.wait_for("idle")


def _bring(hands: Hands, item: str) -> None:
    hands("tap", name=item)
    hands("hang", name=item)


def _carry_off(hands: Hands, item: str) -> None:
    hands("take", name=item)
    hands("tap", name=item)
