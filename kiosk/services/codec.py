"""Events to and from the plain data that an entry carries, and documents that hold names."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from kiosk.domain.events import DOCUMENT_FIELDS, EVENTS, Event
from kiosk.domain.identifiers import Digest


def event_data(event: Event) -> dict[str, Any]:
    """The event's own fields; a field without a value is left out, so that a later field costs older entries nothing."""
    plain = msgspec.to_builtins(event)
    return {name: value for name, value in plain.items() if value is not None}


def event_from(type_: str, data: dict[str, Any]) -> Event | None:
    """Build the event back; None for a type that a later version may know.

    Raises:
        msgspec.ValidationError: the data does not fit the type.
    """
    class_ = EVENTS.get(type_)
    return None if class_ is None else msgspec.convert(data, class_)


def documents_of(data: dict[str, Any]) -> list[Digest]:
    """The documents that an entry's data names, whatever its type."""
    return [Digest(value) for name, value in sorted(data.items()) if name in DOCUMENT_FIELDS]


def profile(**fields: str) -> bytes:
    """A document that holds names or free text."""
    return json.dumps(fields, ensure_ascii=False, sort_keys=True).encode("utf-8")


def read_profile(content: bytes) -> dict[str, str]:
    """What `profile` wrote; a document that is no profile holds no name, and must not spoil a whole page."""
    try:
        return msgspec.json.decode(content, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
