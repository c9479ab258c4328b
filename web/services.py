"""What the screens are given to work with: services by their ports, never an adapter."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Flask, current_app

from kiosk.services.front import Front
from kiosk.services.ports import Headquarters, Receipts, Register, Simulation

EXTENSION = "trousseau"


@dataclass(frozen=True, slots=True)
class Demo:
    """What only a demonstration has: hands at a simulated cabinet, and a look into headquarters.

    `receipts` are headquarters' own, and `keys` the text of the public keys that check them.
    """

    simulation: Simulation
    headquarters: Headquarters
    receipts: Receipts
    keys: str


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a view may call. `screen_key` is what the address of the cabinet's own screen carries."""

    front: Front
    register: Register
    screen_key: str = field(repr=False)
    demo: Demo | None = None


def install(app: Flask, services: Services) -> None:
    """Put `services` where the views of `app` find them."""
    app.extensions[EXTENSION] = services


def services() -> Services:
    """The services of the application that handles the present request."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Services)
    return found


def demo() -> Demo:
    """The demonstration's services; its views are registered only when there is one."""
    found = services().demo
    assert found is not None
    return found
