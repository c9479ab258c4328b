"""One event, one byte string.

Invariants:
    * `seal` is the only function in the house that makes an entry's bytes; they are hashed, stored, published and verified as made.
    * The bytes are a CloudEvents 1.0 event in structured JSON, canonical by RFC 8785: only strings, integers below 2^53,
      booleans, null, lists and objects with ASCII keys occur, for which sorted, compact, unescaped JSON *is* the canonical form.
    * `data` is at most 16 levels deep, so that every program can read what one can, however deep it has called itself.
    * `prev` is the SHA-256 of the previous entry's bytes; the first entry's is 64 zeros.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn

from kiosk.ledger.errors import BadEntry

NO_ENTRY: Final = "0" * 64
#: Every attribute but `data` is text.
_TEXTS: Final = ("id", "type", "subject", "time", "prev", "monotonic", "bootid", "clock", "actor", "command")
#: RFC 8785 §3.2.2.3: integers from here on are not exact everywhere.
_EXACT: Final = 2**53
#: An entry is some 700 bytes; nothing in the schemas could make one this large.
LARGEST_ENTRY: Final = 64 * 1024
#: Levels of lists and objects in `data`, itself among them.
DEEPEST: Final = 16
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
    """The name of the JSON Schema of the data of an event type, in `docs/schemas/`."""
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
    parts = _parts(body)
    if parts is None:
        return _unsealed(body)
    before, data, after = parts
    return Entry(
        node=after["node"],
        stream=after["stream"],
        sequence=int(after["sequence"]),
        type=after["type"],
        subject=after["subject"],
        time=after["time"],
        prev=after["prev"],
        monotonic=int(after["monotonic"]),
        boot=before["boot"],
        clock_set=before["clock"] == "set",
        actor=before["actor"],
        command=before["command"],
        data=data,
    )


def _unsealed(body: bytes) -> Entry:
    """An entry read and written again, whatever is in its attributes."""
    try:
        text = body.decode("utf-8")
        raw = _STRICT.decode(text)
        if not (all(isinstance(raw[name], str) for name in _TEXTS) and isinstance(raw["data"], dict)):
            raise TypeError
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
        _require_shallow(text, entry.data)
        canonical = seal(entry)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise BadEntry(reason=type(e).__name__) from e
    if canonical != body:
        raise BadEntry(reason="not canonical")
    return entry


class Link(NamedTuple):
    """What makes an entry a link of the chain."""

    id: str
    prev: str


def link(body: bytes) -> Link:
    """Read only an entry's place in the chain, which is quicker; takes and refuses the same bytes.

    Raises:
        BadEntry: as `unseal`.
    """
    parts = _parts(body)
    if parts is None:
        entry = _unsealed(body)
        return Link(entry.id, entry.prev)
    _, _, after = parts
    return Link(after["id"], after["prev"])


def _parts(body: bytes) -> tuple[re.Match[str], dict[str, Any], re.Match[str]] | None:
    """What is before the data, the data, and what is after it, when the bytes are canonical; None when that is not certain.

    The attributes around `data` are the same in every entry: two patterns know their canonical form, which takes a third of the
    time of reading and writing all of it. `data` is read and written again. What the patterns do not know, such as an escape
    in a subject, is left to `_unsealed`.
    """
    try:
        text = body.decode("utf-8")
        if before := _BEFORE_DATA.match(text):
            data, end = _STRICT.raw_decode(text, before.end())
            after = _AFTER_DATA.fullmatch(text, end)
            spelt = text[before.end() : end]
            if after and _CANONICAL.encode(data) == spelt:
                _require_shallow(spelt, data)
                return before, data, after
    except (ValueError, RecursionError) as e:
        raise BadEntry(reason=type(e).__name__) from e
    return None


# What the canonical form does not know (module docstring) would be written differently by other programs, so it is no entry.


def _ascii_keys(found: dict[str, Any]) -> dict[str, Any]:
    if not all(key.isascii() for key in found):
        raise ValueError("a key beyond ASCII")
    return found


def _require_shallow(text: str, data: dict[str, Any]) -> None:
    # No level without its bracket, and brackets are counted in no time.
    if text.count("{") + text.count("[") > DEEPEST and not _is_shallow(data, DEEPEST):
        raise ValueError("nested too deep")


def _is_shallow(value: Any, levels: int) -> bool:  # noqa: ANN401 - whatever JSON can say
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(one, levels - 1) for one in inner)


def _exact(digits: str) -> int:
    if abs(number := int(digits)) >= _EXACT:
        raise ValueError("an integer that not every program can hold")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} in an entry")


_STRICT: Final = json.JSONDecoder(
    object_hook=_ascii_keys, parse_int=_exact, parse_float=_no_number, parse_constant=_no_number
)

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
#: A string that needs no escape (RFC 8785 §3.2.2.2), and the same without what separates the parts of an id.
_TEXT: Final = r'[^"\\\x00-\x1f]*+'
_PART: Final = r'[^":\\\x00-\x1f]*+'
_DIGITS: Final = "(?:0|[1-9][0-9]{0,18})"
_BEFORE_DATA: Final = re.compile(
    rf'{{"actor":"(?P<actor>{_TEXT})","bootid":"(?P<boot>{_TEXT})","clock":"(?P<clock>(?:un)?set)"'
    rf',"command":"(?P<command>{_TEXT})","data":(?={{)'
)
_AFTER_DATA: Final = re.compile(
    r',"datacontenttype":"application/json"'
    rf',"dataschema":"urn:trousseau:event:(?P<type>{_TEXT})"'
    rf',"id":"(?P<id>(?P<node>{_PART}):(?P<stream>{_PART}):(?P<sequence>{_DIGITS}))"'
    rf',"monotonic":"(?P<monotonic>{_DIGITS})","prev":"(?P<prev>{_TEXT})"'
    r',"sequence":"(?P=sequence)","source":"/nodes/(?P=node)","specversion":"1\.0"'
    rf',"subject":"(?P<subject>{_TEXT})","time":"(?P<time>{_TEXT})","type":"(?P=type)"}}'
)
