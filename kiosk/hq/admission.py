"""What headquarters lets in: an entry's canonical bytes, from the cabinet that they name, in the form that every database holds.

Refusing is always safe: an acknowledgement never covers what was refused, so the cabinet keeps it and sends it again.
"""

from __future__ import annotations

from typing import Final

from kiosk.ledger.entry import LARGEST_ENTRY, Entry, unseal
from kiosk.ledger.errors import BadEntry
from kiosk.mqtt import topics
from kiosk.store.stream import Sealed

#: Sequence numbers are 32-bit integers in PostgreSQL; at 100 entries a day they last 58,000 years.
_LAST: Final = 2**31 - 1
#: Longer names would not fit PostgreSQL's indexes.
_LONGEST_NAME: Final = 255


def admit(topic: str, body: bytes) -> Sealed:
    """Read what came in on an events topic.

    Raises:
        BadEntry: it is not an entry of the cabinet and the type that the topic names.
    """
    _require(len(body) <= LARGEST_ENTRY, "too large")
    # PostgreSQL's text cannot hold the character 0, so nothing may; in canonical JSON it has only this spelling.
    _require(b"\\u0000" not in body, "a null character")
    try:
        entry = unseal(body)
        _check(entry)
    except (ValueError, RecursionError) as e:
        raise BadEntry(reason=type(e).__name__) from e
    _require(topics.event(entry.node, entry.type) == topic, "on another's topic")
    return Sealed(entry, body)


def _check(entry: Entry) -> None:
    longest = max(len(entry.type), len(entry.subject), len(entry.command), len(entry.actor))
    _require(longest <= _LONGEST_NAME, "a name of the wrong form")
    _require(topics.is_node(entry.node) and topics.is_stream(entry.stream), "no such journal")
    _require(1 <= entry.sequence <= _LAST, "no such sequence number")
    _require(topics.is_digest(entry.prev), "prev is no digest")


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise BadEntry(reason=reason)
