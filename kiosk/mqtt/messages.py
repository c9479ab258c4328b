"""What goes over the wire beside the entries themselves: presence, acknowledgements, and documents in chunks.

Messages evolve by addition: a reader passes over what it does not know.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final, TypeVar

import msgspec

from kiosk.mqtt.topics import DIGEST_PATTERN

#: Salt ‖ content is cut into pieces of at most this many bytes.
CHUNK: Final = 64 * 1024
#: Most digests in one request.
MOST_WANTED: Final = 100
#: A frame's head: which chunk (from 0), and of how many; both unsigned, 32 bits, big-endian.
HEAD: Final = struct.Struct(">II")

Count = Annotated[int, msgspec.Meta(ge=0)]
Wanted = Annotated[list[Annotated[str, msgspec.Meta(pattern=DIGEST_PATTERN)]], msgspec.Meta(max_length=MOST_WANTED)]


class Health(StrEnum):
    """How the relay is; anything but `ok` means that it has stopped sending and a person has to look."""

    OK = "ok"
    SMALLER_THAN_ACKNOWLEDGED = "smaller_than_acknowledged"
    UNREADABLE_ENTRY = "unreadable_entry"


class CabinetStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cabinet's presence. `size` and `health` are left out by the will, which speaks for a cabinet that cannot."""

    online: bool
    version: str
    stream: str
    size: Count | None = None
    health: Health | None = None


class HeadquartersStatus(msgspec.Struct, frozen=True):
    """Headquarters' presence, and which instance of it this is: a new one may have been restored from a backup."""

    online: bool
    instance: str


class Ack(msgspec.Struct, frozen=True):
    """The first `size` entries of the stream are committed in this instance's database."""

    instance: str
    stream: str
    size: Count


_Message = TypeVar("_Message", CabinetStatus, HeadquartersStatus, Ack)


def encode(message: CabinetStatus | HeadquartersStatus | Ack | list[str]) -> bytes:
    """A message's bytes."""
    return msgspec.json.encode(message)


def decode(payload: bytes, kind: type[_Message]) -> _Message | None:
    """Read a message; None when it is not one."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def decode_wanted(payload: bytes) -> list[str]:
    """Read a request for documents; empty when it is not one."""
    try:
        return msgspec.json.decode(payload, type=Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []


def frames(content: bytes) -> Iterator[bytes]:
    """Cut salt ‖ content into frames, in order."""
    count = -(-len(content) // CHUNK)
    for index in range(count):
        yield HEAD.pack(index, count) + content[index * CHUNK : (index + 1) * CHUNK]


class Frame(msgspec.Struct, frozen=True):
    """One chunk of a document."""

    index: int
    count: int
    chunk: bytes


def read_frame(payload: bytes) -> Frame | None:
    """Read a frame; None when it is not one."""
    if not HEAD.size < len(payload) <= HEAD.size + CHUNK:
        return None
    index, count = HEAD.unpack_from(payload)
    return Frame(index, count, payload[HEAD.size :]) if index < count else None
