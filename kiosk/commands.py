"""What other processes may ask of the running service through its control socket."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from kiosk.control import Command, Progress
from kiosk.domain.errors import UnknownPerson
from kiosk.services.commands import new_command
from kiosk.services.imports import ImportService
from kiosk.services.pins import PinService
from kiosk.services.ports import Register, Simulation
from kiosk.services.sheets import plain

Arguments = Mapping[str, Any]


def commands(
    register: Register,
    pins: PinService,
    imports: ImportService,
    refold: Callable[[Progress], int],
    simulation: Simulation | None,
) -> dict[str, Command]:
    """The table that `control.ControlServer` answers from; the hands only where the cabinet is simulated."""

    def set_pin(arguments: Arguments, _: Progress) -> None:
        person = register.directory().persons.get(plain(arguments["name"]))
        if person is None:
            raise UnknownPerson(name=arguments["name"])
        pins.set(person, arguments["pin"])

    table: dict[str, Command] = {
        "import_items": lambda arguments, progress: imports.items(new_command(), _content(arguments), progress),
        "import_people": lambda arguments, progress: imports.people(new_command(), _content(arguments), progress),
        "set_pin": set_pin,
        "refold": lambda _, progress: refold(progress),
    }
    return table if simulation is None else table | _hands(simulation)


def _content(arguments: Arguments) -> bytes:
    return base64.b64decode(arguments["content"])


def _hands(simulation: Simulation) -> dict[str, Command]:
    return {
        "simulate_tap": lambda arguments, _: simulation.tap(arguments["name"]),
        "simulate_take": lambda arguments, _: simulation.take(arguments["name"]),
        "simulate_hang": lambda arguments, _: simulation.hang(arguments["name"]),
        "simulate_close": lambda _, __: simulation.close_door(),
        "simulate_look": lambda _, __: {"cabinet": simulation.look(), "tags": simulation.tags()},
    }
