"""What headquarters notes of messages and alarms, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kiosk.cli.texts import t
from kiosk.ledger.verify import printable
from kiosk.mqtt.client import Cause

#: Why a message was put in quarantine, as headquarters notes it; any other reason is why it is no entry.
REASONS: Final[Mapping[str, str]] = {
    "altered": "altered",
    "broken": "broken",
    "not a status": "status",
    "not a recall": "recall",
    "not a frame": "frame",
    "not the document that was asked for": "document",
    "the database does not take it": "not_taken",
    "it cannot be dealt with": "not_dealt_with",
}
#: The reason of a head goes on with what is wrong with it.
HEAD: Final = "no head of this cabinet's: "


def reason(noted: str) -> str:
    """Why a message could not be placed."""
    if noted in REASONS:
        return t(f"cli.reason.{REASONS[noted]}")
    if noted.startswith(HEAD):
        return t("cli.reason.head", detail=printable(noted.removeprefix(HEAD)))
    return t("cli.reason.entry", detail=printable(noted))


def detail(kind: str, noted: str) -> str:
    """What an alarm is about."""
    if kind == "rejected":
        return reason(noted)
    return t(f"cli.cause.{noted}") if noted in list(Cause) else printable(noted)
