"""What stands between the desk and its screen: what is shown, and what can be pressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from kiosk.domain.custody import Act
from kiosk.domain.identifiers import HookId, ItemId, Timestamp
from kiosk.domain.people import Language, Tier
from kiosk.domain.statements import Statement
from kiosk.services.ports import Strokes, Trouble


class Step(StrEnum):
    """Where the visit stands; one picture each."""

    IDLE = "idle"
    PIN = "pin"
    OPEN = "open"
    SIGNING = "signing"
    DONE = "done"
    INVENTORY = "inventory"
    OUT_OF_SERVICE = "out_of_service"


class Tone(StrEnum):
    """How a notice sounds: nothing changed, or something is wrong."""

    REFUSED = "refused"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message over the screen that goes away by itself; its text is `error.<code>` in the catalogue.

    `number` tells two refusals of the same kind apart: the second one is shown even to somebody who dismissed the first.
    """

    code: str
    values: Mapping[str, object]
    tone: Tone
    number: int


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A key of this visit. `hook` is where it belongs, `sensed` what the hook's switch says (None: it has no switch)."""

    item: ItemId
    act: Act
    designation: str
    client: str
    site: str
    hook: HookId | None
    on_hook: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What headquarters has seen, as the bar on top tells it.

    `at` is when headquarters last said so, `recent` that the time alone tells the day too. `waiting`: it has not seen yet what was
    signed for last.
    """

    at: Timestamp | None
    recent: bool
    online: bool
    waiting: bool
    trouble: Trouble | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """All that the touchscreen shows, at one instant.

    `stage` changes exactly when the picture below the notices has to be painted anew, so that a notice does not wipe a
    signature that is being drawn. `token` is what the visit's buttons must carry. `asking` is « Toujours là ? ».
    `untapped` are items whose hook was emptied or filled without a tap. `receipt` is what the QR code of the act holds.
    """

    step: Step
    stage: int
    language: Language
    token: str = ""
    name: str = ""
    tier: Tier | None = None
    basket: tuple[BasketLine, ...] = ()
    untapped: tuple[BasketLine, ...] = ()
    statement: Statement | None = None
    recorded: tuple[BasketLine, ...] = ()
    receipt: str = ""
    digits: int = 0
    offers_inventory: bool = False
    offers_custody: bool = False
    door_open: bool = False
    reader_up: bool = True
    clock_doubtful: bool = False
    asking: bool = False
    notice: Notice | None = None
    sight: Sight | None = None


# ---- what can be pressed; each frozen, in the imperative


@dataclass(frozen=True, slots=True)
class EnterPin:
    """The digits typed on the pad."""

    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sign:
    """« Valider »: the drawing, and the statement's text as the screen showed it."""

    strokes: Strokes
    statement: str


@dataclass(frozen=True, slots=True)
class Remove:
    """✕ on a line of the basket."""

    item: ItemId


@dataclass(frozen=True, slots=True)
class Cancel:
    """« Annuler »: nothing is taken or returned."""


@dataclass(frozen=True, slots=True)
class StillHere:
    """Any touch, and « Oui » under « Toujours là ? »."""


@dataclass(frozen=True, slots=True)
class KeepReceipt:
    """A touch on the receipt: it stays for as long as a phone needs to scan it."""


@dataclass(frozen=True, slots=True)
class ShowInventory:
    """« Inventaire », for managers."""


@dataclass(frozen=True, slots=True)
class OpenCabinet:
    """« Prendre ou rendre », for a manager who is a technician too."""


@dataclass(frozen=True, slots=True)
class ChooseLanguage:
    """The other language."""

    language: Language


Press = EnterPin | Sign | Remove | Cancel | StillHere | KeepReceipt | ShowInventory | OpenCabinet | ChooseLanguage


class Watch(Protocol):
    """A screen's subscription: the present state at once, then every change. Only the newest unseen state is kept."""

    def next(self, timeout: float) -> Screen | None:
        """Wait up to `timeout` seconds for a state; None when nothing changed."""
        ...

    def close(self) -> None:
        """End the subscription."""
        ...


class Front(Protocol):
    """The desk, as its screen knows it."""

    def watch(self) -> Watch:
        """Subscribe."""
        ...

    def press(self, token: str, press: Press) -> None:
        """Press a button; returns when it has taken effect. A repeated `Sign` of the same visit changes nothing.

        Raises:
            NotVisiting: the token is not the present visit's.
            Refusal: the procedure or the visit's step does not allow it.
            OutOfService: the cabinet has stopped.
        """
        ...

    def may_read_inventory(self, token: str) -> bool:
        """Whether the visit of this token is at the inventory (badge and PIN of a manager given)."""
        ...
