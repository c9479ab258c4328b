"""Events to and from the plain data that an entry carries, and documents that hold names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kiosk.domain.events import DOCUMENT_FIELDS, EVENTS, Event
from kiosk.domain.fold import Moment
from kiosk.domain.identifiers import Digest, Timestamp


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


class _Told(msgspec.Struct):
    """What a fold needs of an entry; the data is left as bytes until the type says how to read it."""

    type: str
    time: Timestamp
    clock: str
    data: msgspec.Raw


_TOLD: Final = msgspec.json.Decoder(_Told)
_DATA: Final[Mapping[str, msgspec.json.Decoder[Event]]] = {
    type_: msgspec.json.Decoder(class_) for type_, class_ in EVENTS.items()
}


def happening(body: bytes) -> tuple[Event, Moment] | None:
    """What a stored entry tells, and when it happened; None for a type that a later version may know.

    Ten times as fast as `unseal` and `event_from`: what no fold needs is not read, and what `seal` or `unseal` saw to before the
    bytes were stored is not checked again. Bytes from elsewhere go through `unseal`.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: the bytes are no entry, or the data does not fit the type.
    """
    told = _TOLD.decode(body)
    decoder = _DATA.get(told.type)
    return None if decoder is None else (decoder.decode(told.data), Moment(told.time, told.clock != "set"))


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
