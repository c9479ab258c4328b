"""The demonstration's page: the touchscreen beside a virtual cabinet, and what headquarters receives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import monotonic, sleep

import msgspec
from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from werkzeug.exceptions import NotFound

from kiosk.domain.identifiers import HookId
from kiosk.domain.people import Language
from kiosk.services.ports import Headquarters, InventoryFilter, Simulation, VirtualCabinet
from web import services as registry
from web import texts
from web.inventory import wanted_page
from web.presses import read_body
from web.streams import HEARTBEAT, client_left, event, stream

demo = Blueprint("demo", __name__)

#: How often the virtual cabinet is looked at, seconds; quicker than the eye.
GLANCE = 0.1

#: How often headquarters is asked, seconds.
ASK = 0.5

FEED_LENGTH = 12
PAGE_SIZE = 10


class Hand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a hand does: with which badge or key, and on which hook."""

    name: str = ""
    hook: str | None = None


ACTS: Mapping[str, Callable[[Simulation, Hand], None]] = {
    "tap": lambda simulation, hand: simulation.tap(hand.name),
    "take": lambda simulation, hand: simulation.take(hand.name),
    "hang": lambda simulation, hand: simulation.hang(hand.name, HookId(hand.hook) if hand.hook else None),
    "close": lambda simulation, _: simulation.close_door(),
}


@demo.get("/demo")
def page() -> str:
    """The whole demonstration on one page; `?lang=en` for English."""
    simulation = registry.demo().simulation
    language = Language.EN if request.args.get("lang") == Language.EN else Language.FR
    other = Language.FR if language is Language.EN else Language.EN
    with force_locale(language.value):
        return render_template(
            "demo/page.html",
            language=language,
            other=other,
            heartbeat=HEARTBEAT,
            badges=[tag for tag in simulation.tags() if tag.kind == "badge"],
            keys=[tag for tag in simulation.tags() if tag.kind != "badge"],
            hooks=sorted(simulation.look().hooks),
        )


@demo.get("/demo/events")
def events() -> Response:
    """The virtual cabinet and headquarters' newest, at once and whenever they change."""
    services = registry.demo()
    return stream(_changes(services.simulation, services.headquarters, client_left()), lambda: None)


@demo.post("/demo/hands/<act>")
def hands(act: str) -> ResponseReturnValue:
    """Do with the virtual hands what a person does at the cabinet."""
    if act not in ACTS:
        raise NotFound
    ACTS[act](registry.demo().simulation, read_body(Hand))
    return {"ok": True}


@demo.get("/demo/register")
def register() -> str:
    """A page of the central register, as a piece of the page."""
    found = registry.demo().headquarters.inventory(InventoryFilter(), wanted_page(), PAGE_SIZE)
    return render_template("demo/register.html", found=found, texts=texts)


def _changes(simulation: Simulation, headquarters: Headquarters, gone: Callable[[], bool]) -> Iterator[str]:
    # A look every now and then, not `simulation.watch`: one thread cannot wait for the cabinet and headquarters both.
    shown: dict[str, object] = {}
    asked = spoken = 0.0
    while not gone():
        now = monotonic()
        found: dict[str, object] = {"cabinet": _cabinet(simulation.look())}
        if now - asked >= ASK:
            asked, found["headquarters"] = now, _headquarters(headquarters)
        for name, data in found.items():
            if shown.get(name) != data:
                shown[name], spoken = data, now
                yield event(name, data)
        if now - spoken >= HEARTBEAT:
            spoken = now
            yield event("heartbeat", {})
        sleep(GLANCE)


def _cabinet(cabinet: VirtualCabinet) -> dict[str, object]:
    return {
        "door_open": cabinet.door_open,
        "hooks": dict(cabinet.hooks),
        "lit": sorted(cabinet.lit),
        "lamp": cabinet.lamp,
        "on_reader": cabinet.on_reader,
        "in_hand": list(cabinet.in_hand),
    }


def _headquarters(headquarters: Headquarters) -> dict[str, object]:
    feed = headquarters.feed(FEED_LENGTH)
    return {"online": headquarters.online, "feed_html": render_template("demo/feed.html", feed=feed)}
