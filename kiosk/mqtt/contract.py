"""The contract of the wire, made from the event classes: `python -m kiosk.mqtt.contract > docs/asyncapi.yaml`.

It is written from the cabinet's side: what it sends, and what it receives.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from kiosk.domain.events import EVENTS
from kiosk.ledger.entry import MEDIA_TYPE, schema
from kiosk.mqtt import topics
from kiosk.mqtt.messages import CHUNK, MOST_WANTED, Ack, CabinetStatus, HeadquartersStatus

Json = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_MESSAGES: Final = "#/components/messages/"

#: A channel: address, what it is for, retained or not, sent or received by the cabinet, and its message (events have many).
_CHANNELS: Final[tuple[tuple[str, str, str, bool, bool, str], ...]] = (
    (
        "events",
        topics.event("{node}", "{family}.{name}"),
        "The entries of a cabinet's journal, byte for byte; the type `custody.taken` ends the topic in `/custody/taken`.",
        False,
        True,
        "",
    ),
    (
        "documents",
        f"{topics.ROOT}/from/{{node}}/documents/{{digest}}",
        "Documents that headquarters asked for, in chunks.",
        False,
        True,
        "Document",
    ),
    ("status", topics.status("{node}"), "Whether a cabinet is there; also its will.", True, True, "CabinetStatus"),
    ("ack", topics.ack("{node}"), "How much of a cabinet's journal headquarters has.", True, False, "Ack"),
    ("wanted", topics.wanted("{node}"), "Documents that headquarters lacks.", False, False, "Wanted"),
    (
        "headquarters",
        topics.HEADQUARTERS_STATUS,
        "Whether headquarters is there; also its will.",
        True,
        False,
        "HeadquartersStatus",
    ),
)

_PLAIN: Final = re.compile("[A-Za-z][A-Za-z_.]*")
_PARAMETERS: Final[Mapping[str, str]] = {
    "node": f"The cabinet's name, {topics.NODE_PATTERN}.",
    "family": "The first part of the event's type.",
    "name": "The second part of the event's type.",
    "digest": f"SHA-256 of salt and content, {topics.DIGEST_PATTERN}.",
}


def contract() -> Json:
    """The AsyncAPI 3.0 document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Trousseau",
            "version": topics.ROOT.rpartition("/")[2],
            "description": "What key cabinets and headquarters say to each other over MQTT, always at QoS 1.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(address, why, _messages_of(one)) for name, address, why, _, __, one in _CHANNELS},
        "operations": {name: _operation(name, sends, retained) for name, _, __, retained, sends, ___ in _CHANNELS},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def text() -> str:
    """The document as YAML."""
    return "\n".join(_yaml(contract(), 0)) + "\n"


def _channel(address: str, why: str, messages: list[str]) -> Json:
    used = {name: {"description": text} for name, text in _PARAMETERS.items() if f"{{{name}}}" in address}
    return {
        "address": address,
        "description": why,
        **({"parameters": used} if used else {}),
        "messages": {name: {"$ref": _MESSAGES + name} for name in messages},
    }


def _operation(channel: str, sends: bool, retained: bool) -> Json:
    return {
        "action": "send" if sends else "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "bindings": {"mqtt": {"qos": 1, "retain": retained, "bindingVersion": "0.2.0"}},
    }


def _messages_of(message: str) -> list[str]:
    return [message] if message else sorted(EVENTS)


def _messages() -> Json:
    plain = {name: {"payload": {"$ref": _SCHEMAS + name}} for name in ("Ack", "CabinetStatus", "HeadquartersStatus")}
    return {
        **{type_: _event(type_) for type_ in sorted(EVENTS)},
        **plain,
        "Wanted": {"payload": {"$ref": f"{_SCHEMAS}Wanted"}},
        "Document": {"contentType": "application/octet-stream", "payload": {"$ref": f"{_SCHEMAS}Document"}},
    }


def _event(type_: str) -> Json:
    exactly = {
        "type": {"const": type_},
        "dataschema": {"const": schema(type_)},
        "data": {"$ref": _SCHEMAS + type_},
    }
    return {
        "contentType": MEDIA_TYPE,
        "payload": {"allOf": [{"$ref": f"{_SCHEMAS}Entry"}, {"type": "object", "properties": exactly}]},
    }


def _schemas() -> Json:
    by_class = {class_.__name__: type_ for type_, class_ in EVENTS.items()}
    kinds = [*EVENTS.values(), Ack, CabinetStatus, HeadquartersStatus]
    _, made = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS + "{name}")
    named = {by_class.get(name, name): _described(one) for name, one in made.items()}
    return {name: named[name] for name in sorted(named)} | {
        "Entry": _entry(),
        "Wanted": {"type": "array", "maxItems": MOST_WANTED, "items": _text(topics.DIGEST_PATTERN)},
        "Document": {
            "type": "string",
            "format": "binary",
            "description": "The chunk's number from 0 and how many there are (both unsigned, 32 bits, big-endian), "
            f"then at most {CHUNK} bytes of the document: a salt of 32 bytes and the content.",
        },
    }


def _described(made: Json) -> Json:
    return made | {"description": inspect.cleandoc(made["description"])} if "description" in made else made


def _entry() -> Json:
    node = topics.NODE_PATTERN.strip("^$")
    attributes: Json = {
        "specversion": {"const": "1.0"},
        "id": _text(rf"^{node}:[0-9A-Za-z-]+:[1-9][0-9]*$"),
        "source": _text(f"^/nodes/{node}$"),
        "type": {"type": "string"},
        "subject": {"type": "string"},
        "time": _text(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"),
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string"},
        "sequence": _text("^[1-9][0-9]*$"),
        "monotonic": _text("^[0-9]+$"),
        "prev": _text(topics.DIGEST_PATTERN),
        "bootid": {"type": "string"},
        "clock": {"enum": ["set", "unset"]},
        "actor": {"type": "string"},
        "command": {"type": "string"},
        "data": {"type": "object"},
    }
    return {
        "description": "A CloudEvents 1.0 event in canonical JSON (RFC 8785); `prev` is the SHA-256 of the entry before.",
        "type": "object",
        "required": sorted(attributes),
        "properties": attributes,
        "additionalProperties": False,
    }


def _text(pattern: str) -> Json:
    return {"type": "string", "pattern": pattern}


def _yaml(value: Json | list[Any], depth: int) -> Iterator[str]:
    """Block style; scalars and unusual keys are written as JSON, which YAML 1.2 contains."""
    indent = "  " * depth
    pairs = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    for key, one in pairs:
        head = f"{indent}-" if key is None else f"{indent}{key if _PLAIN.fullmatch(key) else json.dumps(key)}:"
        if isinstance(one, dict | list) and one:
            yield head
            yield from _yaml(one, depth + 1)
        else:
            yield f"{head} {json.dumps(one, ensure_ascii=False)}"


if __name__ == "__main__":
    sys.stdout.write(text())
