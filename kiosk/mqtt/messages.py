"""What goes over the wire beside the entries themselves: presence, acknowledgements, and documents in chunks.

Messages evolve by addition: a reader passes over what it does not know.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final, TypeVar

import msgspec

from kiosk.mqtt.topics import DIGEST_PATTERN, STREAM_PATTERN

#: Salt ‖ content is cut into pieces of at most this many bytes.
CHUNK: Final = 64 * 1024
#: Most digests in one request.
MOST_WANTED: Final = 100
#: A frame's head: which chunk (from 0), and of how many; both unsigned, 32 bits, big-endian.
HEAD: Final = struct.Struct(">II")


def _whole(pattern: str) -> str:
    """The same pattern, which to Python would also match before a last newline."""
    return pattern + r"(?!\n)"


#: Headquarters keeps what cabinets say: no number and no name may be more than every database holds.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Name = Annotated[str, msgspec.Meta(pattern=_whole("^[ -~]{0,64}$"))]
#: These become topics, where a wildcard, a separator or a control character would cost headquarters its connection.
Stream = Annotated[str, msgspec.Meta(pattern=_whole(STREAM_PATTERN))]
Wanted = Annotated[
    list[Annotated[str, msgspec.Meta(pattern=_whole(DIGEST_PATTERN))]], msgspec.Meta(max_length=MOST_WANTED)
]


#: msgspec goes into brackets as deep as Python's stack allows.
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Health(StrEnum):
    """How the relay is; anything but `ok` means that it has stopped sending and a person has to look.

    `behind`: headquarters has signed for more entries than this journal holds, which is an old card's image. `diverged`: it has
    signed for others. `refused`: it has said so, with its signature, of a head of ours. `untrusted`: it signs with a key that this
    cabinet was not given. `denied`: the broker does not let us in, or not publish. `unreadable_entry`: the journal is damaged.
    """

    OK = "ok"
    BEHIND = "behind"
    DIVERGED = "diverged"
    REFUSED = "refused"
    UNTRUSTED = "untrusted"
    DENIED = "denied"
    UNREADABLE_ENTRY = "unreadable_entry"


class CabinetStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cabinet's presence. `size` and `health` are left out by the will, which speaks for a cabinet that cannot."""

    online: bool
    version: Name
    stream: Name
    size: Count | None = None
    health: Health | None = None


class HeadquartersStatus(msgspec.Struct, frozen=True):
    """Headquarters' presence, and which instance of it this is: a new one may have been restored from a backup."""

    online: bool
    instance: str


class Ack(msgspec.Struct, frozen=True, omit_defaults=True):
    """What this instance of headquarters says of a stream.

    `checkpoint` is the newest of the cabinet's heads with headquarters' cosignature (C2SP tlog-checkpoint): the entries that it
    covers are committed in headquarters' database. Without it none is signed for yet. `refusal` is headquarters' signed answer
    to a head that rewrites what it has seen.
    """

    instance: str
    stream: str
    checkpoint: str | None = None
    refusal: str | None = None


class Recall(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a cabinet whose journal was lost asks for: which journals there are (nothing is named), the entries of one that follow
    a sequence number, or documents."""

    stream: Stream | None = None
    after: Count = 0
    documents: Wanted = []


class RecalledJournal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A journal that headquarters holds: its newest cosigned head, and its refusal of another if there is one."""

    stream: str
    checkpoint: str
    refusal: str | None = None


class Recalled(msgspec.Struct, frozen=True):
    """The journals of a cabinet, in the order in which headquarters let them in. Their entries come one a line."""

    journals: list[RecalledJournal]


_Message = TypeVar("_Message", CabinetStatus, HeadquartersStatus, Ack, Recall, Recalled)


def encode(message: CabinetStatus | HeadquartersStatus | Ack | Recall | Recalled | list[str]) -> bytes:
    """A message's bytes."""
    return msgspec.json.encode(message)


def decode(payload: bytes, kind: type[_Message]) -> _Message | None:
    """Read a message; None when it is not one."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except _UNREADABLE:
        return None


def decode_wanted(payload: bytes) -> list[str]:
    """Read a request for documents; empty when it is not one."""
    try:
        return msgspec.json.decode(payload, type=Wanted)
    except _UNREADABLE:
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
