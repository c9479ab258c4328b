"""The manager's look at the whole register: PROC-INT-006 §1, « registre nominatif »."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from flask import Blueprint, render_template, request
from werkzeug.exceptions import BadRequest

from kiosk.domain.access_means import Place, State
from kiosk.domain.errors import NotVisiting
from kiosk.domain.identifiers import ClientId, PersonId, SiteId
from kiosk.services.ports import InventoryFilter, Register
from web import texts
from web.presses import visit_token
from web.services import services

inventory = Blueprint("inventory", __name__)

PAGE_SIZE = 20

#: No register has more pages; a larger number is nobody's honest wish.
LAST_PAGE = 1_000_000

Value = TypeVar("Value")


@inventory.get("/inventory")
def page() -> str:
    """A page of the inventory, as a piece of the screen.

    Raises:
        NotVisiting: the request does not come from a manager's visit.
        BadRequest: a criterion is not one.
    """
    if not services().front.may_read_inventory(visit_token()):
        raise NotVisiting
    wanted = wanted_lines()
    register = services().register
    return render_template(
        "inventory.html",
        wanted=wanted,
        found=register.inventory(wanted, wanted_page(), PAGE_SIZE),
        choices=_choices(register),
        texts=texts,
    )


def _choices(register: Register) -> Mapping[str, Sequence[tuple[str, str]]]:
    """What each filter offers: the value and the word for it."""
    named = {name: [(one.id, one.name) for one in some] for name, some in register.choices().items()}
    return named | {"state": _worded(texts.STATES), "place": _worded(texts.PLACES)}


def _worded(names: Mapping[State, str] | Mapping[Place, str]) -> list[tuple[str, str]]:
    return [(value.value, texts.say(name)) for value, name in names.items()]


def wanted_lines() -> InventoryFilter:
    """The filter that the request's query names."""
    return InventoryFilter(
        client=_criterion("client", ClientId),
        site=_criterion("site", SiteId),
        state=_criterion("state", State),
        holder=_criterion("holder", PersonId),
        place=_criterion("place", Place),
    )


def wanted_page() -> int:
    """The page that the request's query names, the first if it names none."""
    page = _criterion("page", int)
    if page is not None and not 1 <= page <= LAST_PAGE:
        raise BadRequest
    return page or 1


def _criterion(name: str, make: Callable[[str], Value]) -> Value | None:
    given = request.args.get(name, "")
    try:
        return make(given) if given else None
    except ValueError as fault:
        raise BadRequest from fault
