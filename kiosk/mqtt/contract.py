"""The contract of the wire, made from the event classes: `python -m kiosk.mqtt.contract` writes its files in `docs/` anew.

`asyncapi.yaml` is written from the cabinet's side: what it sends, and what it receives. `schemas/` has a JSON Schema for each type
of event, whole by itself.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from kiosk.domain.events import EVENTS
from kiosk.domain.identifiers import Digest
from kiosk.ledger.entry import MEDIA_TYPE, schema
from kiosk.mqtt import topics
from kiosk.mqtt.messages import CHUNK, MOST_WANTED, Ack, CabinetStatus, HeadquartersStatus, Recall, Recalled

Json = dict[str, Any]

_FOLDER: Final = Path(__file__).parents[2] / "docs"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SCHEMAS: Final = "#/components/schemas/"
_MESSAGES: Final = "#/components/messages/"
_NODE: Final = topics.NODE_PATTERN.strip("^$")


class _Channel(NamedTuple):
    """A topic: what it is for, what may come on it, whether the broker retains it, and whether the cabinet sends or receives."""

    address: str
    why: str
    messages: Sequence[str]
    retained: bool
    sent: bool


_CHANNELS: Final[Mapping[str, _Channel]] = {
    "events": _Channel(
        topics.event("{node}", "{family}.{name}"),
        "The entries of a cabinet's journal, byte for byte; the type `custody.taken` ends the topic in `/custody/taken`. "
        "Each comes at least once, and again until headquarters has signed for it.",
        sorted(EVENTS),
        retained=False,
        sent=True,
    ),
    "checkpoint": _Channel(
        topics.checkpoint("{node}"),
        "The signed head of a cabinet's journal, just before the entries that it covers.",
        ["Checkpoint"],
        retained=False,
        sent=True,
    ),
    "documents": _Channel(
        topics.document("{node}", Digest("{digest}")),
        "Documents that headquarters asked for, in chunks.",
        ["Document"],
        retained=False,
        sent=True,
    ),
    "status": _Channel(
        topics.status("{node}"),
        "Whether a cabinet is there; also its will.",
        ["CabinetStatus"],
        retained=True,
        sent=True,
    ),
    "recall": _Channel(
        topics.recall("{node}"),
        "A cabinet whose journal was lost asks for headquarters' copy, one question at a time.",
        ["Recall"],
        retained=False,
        sent=True,
    ),
    "ack": _Channel(
        topics.ack("{node}"),
        "How much of a cabinet's journal headquarters has, with its signature.",
        ["Ack"],
        retained=True,
        sent=False,
    ),
    "wanted": _Channel(
        topics.wanted("{node}"),
        "Documents that headquarters lacks.",
        ["Wanted"],
        retained=False,
        sent=False,
    ),
    "recalled": _Channel(
        topics.recalled("{node}"),
        "The answer to a recall that names nothing: which journals of this cabinet headquarters holds.",
        ["Recalled"],
        retained=False,
        sent=False,
    ),
    "recalledEntries": _Channel(
        f"{topics.recalled('{node}')}/entries/{{stream}}/{{after}}",
        "The answer to a recall that names a journal: the entries that follow the sequence number `after`.",
        ["RecalledEntries"],
        retained=False,
        sent=False,
    ),
    "recalledDocuments": _Channel(
        topics.recalled_document("{node}", Digest("{digest}")),
        "The answer to a recall that names documents: each of them in chunks.",
        ["Document", "NoDocument"],
        retained=False,
        sent=False,
    ),
    "headquarters": _Channel(
        topics.HEADQUARTERS_STATUS,
        "Whether headquarters is there; also its will.",
        ["HeadquartersStatus"],
        retained=True,
        sent=False,
    ),
}

_PARAMETERS: Final[Mapping[str, str]] = {
    "node": f"The cabinet's name, {topics.NODE_PATTERN}.",
    "family": "The first part of the event's type.",
    "name": "The second part of the event's type.",
    "digest": f"SHA-256 of salt and content, {topics.DIGEST_PATTERN}.",
    "stream": "The journal's name, the middle of an entry's `id`.",
    "after": "The sequence number before the first of the entries.",
}

#: Messages that are JSON and read by a class.
_PLAIN: Final = (Ack, CabinetStatus, HeadquartersStatus, Recall, Recalled)
#: Messages that are not JSON.
_OTHERS: Final[Mapping[str, str]] = {
    "Checkpoint": "text/plain; charset=utf-8",
    "Document": "application/octet-stream",
    "NoDocument": "application/octet-stream",
    "RecalledEntries": "application/x-ndjson",
}


def files() -> Mapping[str, str]:
    """The files of the contract: where each stands in `docs/`, and what it says."""
    schemas = {f"schemas/{type_}.json": entry_schema(type_) for type_ in EVENTS}
    texts = {name: json.dumps(one, indent=2, ensure_ascii=False) for name, one in schemas.items()}
    texts["asyncapi.yaml"] = "\n".join(_yaml(contract(), 0))
    return {name: text + "\n" for name, text in texts.items()}


# ---- AsyncAPI


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
        "channels": {name: _channel(one) for name, one in _CHANNELS.items()},
        "operations": {name: _operation(name, one) for name, one in _CHANNELS.items()},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _channel(channel: _Channel) -> Json:
    used = {name: {"description": text} for name, text in _PARAMETERS.items() if f"{{{name}}}" in channel.address}
    return {
        "address": channel.address,
        "description": channel.why,
        **({"parameters": used} if used else {}),
        "messages": {name: {"$ref": _MESSAGES + name} for name in channel.messages},
    }


def _operation(name: str, channel: _Channel) -> Json:
    return {
        "action": "send" if channel.sent else "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "bindings": {"mqtt": {"qos": 1, "retain": channel.retained, "bindingVersion": "0.2.0"}},
    }


def _messages() -> Json:
    named = [*(class_.__name__ for class_ in _PLAIN), "Wanted", *_OTHERS]
    types = {name: {"contentType": _OTHERS[name]} if name in _OTHERS else {} for name in sorted(named)}
    return {
        **{type_: _event(type_) for type_ in sorted(EVENTS)},
        **{name: {**type_, "payload": {"$ref": _SCHEMAS + name}} for name, type_ in types.items()},
    }


def _event(type_: str) -> Json:
    exactly = _exactly(type_) | {"data": {"$ref": _SCHEMAS + type_}}
    return {
        "contentType": MEDIA_TYPE,
        "payload": {"allOf": [{"$ref": f"{_SCHEMAS}Entry"}, {"type": "object", "properties": exactly}]},
    }


def _schemas() -> Json:
    by_class = {class_.__name__: type_ for type_, class_ in EVENTS.items()}
    _, made = msgspec.json.schema_components([*EVENTS.values(), *_PLAIN], ref_template=_SCHEMAS + "{name}")
    named = {by_class.get(name, name): _described(one) for name, one in made.items()}
    return {name: named[name] for name in sorted(named)} | {
        "Entry": {
            "description": "A CloudEvents 1.0 event in canonical JSON (RFC 8785).",
            **_object(_attributes()),
        },
        "Checkpoint": {
            **_text(rf"^trousseau/{_NODE}/[0-9A-Za-z-]+\n[0-9]+\n[0-9A-Za-z+/]+=*\n\n(— [^ ]+ [0-9A-Za-z+/]+=*\n)+$"),
            "description": "A signed head (C2SP tlog-checkpoint): the journal's name, how many entries, the root of the tree over "
            "them, an empty line, and the cabinet's signatures.",
        },
        "Wanted": {"type": "array", "maxItems": MOST_WANTED, "items": _text(topics.DIGEST_PATTERN)},
        "Document": {
            "type": "string",
            "format": "binary",
            "description": "The chunk's number from 0 and how many there are (both unsigned, 32 bits, big-endian), "
            f"then at most {CHUNK} bytes of the document: a salt of 32 bytes and the content.",
        },
        "NoDocument": {"const": "", "description": "Nothing: headquarters has no such document."},
        "RecalledEntries": {
            "type": "string",
            "description": "Entries, byte for byte, each on a line of its own; nothing when none follows.",
        },
    }


# ---- entries


def entry_schema(type_: str) -> Json:
    """The JSON Schema of an entry of this type; that of its `data` is in it, under the name that `dataschema` gives."""
    made = msgspec.json.schema(EVENTS[type_])
    defined = {name: _described(one) for name, one in made["$defs"].items()}
    data = {"$id": schema(type_), "$ref": made["$ref"], "$defs": defined}
    return {
        "$schema": _DIALECT,
        "$id": f"urn:trousseau:entry:{type_}",
        "title": type_,
        **_object(_attributes() | _exactly(type_) | {"data": data}),
    }


def _attributes() -> Json:
    return {
        "specversion": {"const": "1.0"},
        "id": _text(rf"^{_NODE}:[0-9A-Za-z-]+:[1-9][0-9]*$") | {"description": "Cabinet, journal, sequence number."},
        "source": _text(f"^/nodes/{_NODE}$"),
        "type": {"type": "string"},
        "subject": {"type": "string", "description": "The access means, the person, … that it is about."},
        "time": _text(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"),
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string", "description": "The name of the JSON Schema of `data`."},
        "sequence": _text("^[1-9][0-9]*$") | {"description": "The place in the journal, from 1 and without gaps."},
        "monotonic": _text("^[0-9]+$") | {"description": "Nanoseconds since the boot that `bootid` names."},
        "prev": _text(topics.DIGEST_PATTERN)
        | {"description": "SHA-256 of the bytes of the entry before; 64 zeros in the first."},
        "bootid": {"type": "string"},
        "clock": {"enum": ["set", "unset"], "description": "Whether the clock behind `time` could be believed."},
        "actor": {"type": "string", "description": "Who did it, by a pseudonym, or the cabinet itself."},
        "command": {"type": "string", "description": "The act that it belongs to; one act may make several entries."},
        "data": {"type": "object"},
    }


def _exactly(type_: str) -> Json:
    return {"type": {"const": type_}, "dataschema": {"const": schema(type_)}}


def _object(properties: Json) -> Json:
    return {
        "type": "object",
        "required": sorted(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def _text(pattern: str) -> Json:
    return {"type": "string", "pattern": pattern}


def _described(made: Json) -> Json:
    return made | {"description": inspect.cleandoc(made["description"])} if "description" in made else made


# ---- writing

_PLAIN_KEY: Final = re.compile("[A-Za-z][A-Za-z_.]*")


def _yaml(value: Json | list[Any], depth: int) -> Iterator[str]:
    """Block style; scalars and unusual keys are written as JSON, which YAML 1.2 contains."""
    indent = "  " * depth
    pairs = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    for key, one in pairs:
        head = f"{indent}-" if key is None else f"{indent}{key if _PLAIN_KEY.fullmatch(key) else json.dumps(key)}:"
        if isinstance(one, dict | list) and one:
            yield head
            yield from _yaml(one, depth + 1)
        else:
            yield f"{head} {json.dumps(one, ensure_ascii=False)}"


def _write() -> None:
    for name, text in files().items():
        (_FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
