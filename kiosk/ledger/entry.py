"""One event, one byte string.

Invariants:
    * `seal` is the only function in the house that makes an entry's bytes; they are hashed, stored, published and verified as made.
    * The bytes are a CloudEvents 1.0 event in structured JSON, canonical by RFC 8785: only strings, booleans, null, lists and
      objects with ASCII keys occur, for which sorted, compact, unescaped JSON *is* the canonical form.
    * `prev` is the SHA-256 of the previous entry's bytes; the first entry's is 64 zeros.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from kiosk.ledger.errors import BadEntry

NO_ENTRY: Final = "0" * 64
MEDIA_TYPE: Final = "application/cloudevents+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry's attributes; `data` is the event's own fields.

    `time` is UTC with milliseconds, `monotonic` nanoseconds since the boot named by `boot`, `clock_set` false when the wall clock
    could not be believed, `actor` a pseudonymous person or the node itself.
    """

    node: str
    stream: str
    sequence: int
    type: str
    subject: str
    time: str
    prev: str
    monotonic: int
    boot: str
    clock_set: bool
    actor: str
    command: str
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """`{node}:{stream}:{sequence}`."""
        return f"{self.node}:{self.stream}:{self.sequence}"


def digest(body: bytes) -> str:
    """SHA-256 of an entry's bytes, lower-case hex: the next entry's `prev`."""
    return hashlib.sha256(body).hexdigest()


def schema(type_: str) -> str:
    """The name of the JSON Schema of an event type, in `docs/asyncapi.yaml`."""
    return f"urn:trousseau:event:{type_}"


def seal(entry: Entry) -> bytes:
    """Make the entry's bytes."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": entry.id,
            "source": f"/nodes/{entry.node}",
            "type": entry.type,
            "subject": entry.subject,
            "time": entry.time,
            "datacontenttype": "application/json",
            "dataschema": schema(entry.type),
            "sequence": str(entry.sequence),
            "monotonic": str(entry.monotonic),
            "prev": entry.prev,
            "bootid": entry.boot,
            "clock": "set" if entry.clock_set else "unset",
            "actor": entry.actor,
            "command": entry.command,
            "data": entry.data,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode("utf-8")


def unseal(body: bytes) -> Entry:
    """Read an entry's bytes.

    Raises:
        BadEntry: not JSON, an attribute is missing or of the wrong form, or the bytes are not the canonical ones.
    """
    try:
        raw = json.loads(body)
        node, stream, sequence = raw["id"].split(":")
        entry = Entry(
            node=node,
            stream=stream,
            sequence=int(sequence),
            type=raw["type"],
            subject=raw["subject"],
            time=raw["time"],
            prev=raw["prev"],
            monotonic=int(raw["monotonic"]),
            boot=raw["bootid"],
            clock_set=raw["clock"] == "set",
            actor=raw["actor"],
            command=raw["command"],
            data=raw["data"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise BadEntry(reason=type(e).__name__) from e
    if seal(entry) != body:
        raise BadEntry(reason="not canonical")
    return entry
