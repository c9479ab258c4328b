"""What the touchscreen's buttons send: parse, press, answer. Shapes are checked here; whether it is allowed, at the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from msgspec import Meta
from werkzeug.exceptions import BadRequest, NotFound, UnsupportedMediaType

from kiosk.domain.identifiers import ItemId
from kiosk.domain.people import Language
from kiosk.services.front import (
    Cancel,
    ChooseLanguage,
    EnterPin,
    KeepReceipt,
    OpenCabinet,
    Press,
    Remove,
    ShowInventory,
    Sign,
    StillHere,
)
from kiosk.services.ports import Strokes
from web.services import services

presses = Blueprint("presses", __name__)

Side = Annotated[float, Meta(gt=0, le=10_000)]
Coordinate = Annotated[float, Meta(ge=-10_000, le=10_000)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON object that a button sends."""

    def press(self) -> Press:
        """What it means to the desk."""
        raise NotImplementedError


class PinBody(Body, frozen=True, forbid_unknown_fields=True):
    """« ✓ » on the digits."""

    pin: Annotated[str, Meta(pattern="^[0-9]{1,12}$")]

    def press(self) -> Press:
        return EnterPin(self.pin)


class SignBody(Body, frozen=True, forbid_unknown_fields=True):
    """« Valider »."""

    width: Side
    height: Side
    strokes: tuple[tuple[tuple[Coordinate, Coordinate], ...], ...]
    statement: str

    def press(self) -> Press:
        return Sign(Strokes(self.width, self.height, self.strokes), self.statement)


class RemoveBody(Body, frozen=True, forbid_unknown_fields=True):
    """✕ on a line."""

    item: Annotated[str, Meta(min_length=1, max_length=200)]

    def press(self) -> Press:
        return Remove(ItemId(self.item))


class LanguageBody(Body, frozen=True, forbid_unknown_fields=True):
    """The other language."""

    language: Language

    def press(self) -> Press:
        return ChooseLanguage(self.language)


class CancelBody(Body, frozen=True, forbid_unknown_fields=True):
    """« Annuler »."""

    def press(self) -> Press:
        return Cancel()


class StillHereBody(Body, frozen=True, forbid_unknown_fields=True):
    """« Oui », and any touch."""

    def press(self) -> Press:
        return StillHere()


class ReceiptBody(Body, frozen=True, forbid_unknown_fields=True):
    """The receipt."""

    def press(self) -> Press:
        return KeepReceipt()


class InventoryBody(Body, frozen=True, forbid_unknown_fields=True):
    """« Inventaire »."""

    def press(self) -> Press:
        return ShowInventory()


class OpenBody(Body, frozen=True, forbid_unknown_fields=True):
    """« Prendre ou rendre »."""

    def press(self) -> Press:
        return OpenCabinet()


BODIES: Mapping[str, type[Body]] = {
    "pin": PinBody,
    "sign": SignBody,
    "remove": RemoveBody,
    "cancel": CancelBody,
    "still-here": StillHereBody,
    "receipt": ReceiptBody,
    "inventory": InventoryBody,
    "open": OpenBody,
    "language": LanguageBody,
}

Shape = TypeVar("Shape")


def read_body(shape: type[Shape]) -> Shape:
    """The request's JSON in its expected shape.

    Raises:
        UnsupportedMediaType: it does not say that it is JSON, so the browser did not ask whether its page may send it.
        BadRequest: it is not JSON, or not of this shape.
        RequestEntityTooLarge: it is larger than any signature.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        return msgspec.json.decode(request.get_data(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRequest from fault


@presses.post("/press/<button>")
def press(button: str) -> ResponseReturnValue:
    """Press a button of the visit whose token the request carries; what follows is on the stream."""
    if button not in BODIES:
        raise NotFound
    body = read_body(BODIES[button])
    services().front.press(visit_token(), body.press())
    return {"ok": True}


def visit_token() -> str:
    """The token of the visit that the screen shows."""
    return request.headers.get("X-Visit", "")
