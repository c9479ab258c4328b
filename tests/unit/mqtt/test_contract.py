"""The contract's files are what the code makes, and are sound: an AsyncAPI document, and a JSON Schema for each type of event."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from kiosk.domain.events import EVENTS
from kiosk.ledger.entry import NO_ENTRY, Entry, schema, seal
from kiosk.mqtt.contract import contract, entry_schema, files

DOCS = Path(__file__).parents[3] / "docs"


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:  # noqa: ANN401 - schemas of properties
    """A JSON Schema of an object with these properties and no other."""
    properties = {name: one if isinstance(one, dict) else {"const": one} for name, one in (required | optional).items()}
    return {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}


TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
REFERENCE = closed({"$ref": {"type": "string", "pattern": "^#/"}})


def many(one: dict[str, Any], name: str = r"^[A-Za-z0-9._-]+$") -> dict[str, Any]:
    """A JSON Schema of an object that names such things; AsyncAPI allows these characters."""
    return {"type": "object", "minProperties": 1, "patternProperties": {name: one}, "additionalProperties": False}


#: Of what AsyncAPI 3.0 allows, the parts that we use.
ASYNCAPI = closed(
    {
        "asyncapi": "3.0.0",
        "info": closed({"title": TEXT, "version": TEXT}, description=TEXT),
        "defaultContentType": "application/json",
        "channels": many(
            closed(
                {"address": TEXT, "messages": many(REFERENCE)},
                description=TEXT,
                parameters=many(closed({}, description=TEXT)),
            )
        ),
        "operations": many(
            closed(
                {"action": {"enum": ["send", "receive"]}, "channel": REFERENCE},
                bindings=closed(
                    {"mqtt": closed({}, qos={"enum": [0, 1, 2]}, retain={"type": "boolean"}, bindingVersion="0.2.0")}
                ),
            )
        ),
        "components": closed(
            {
                "messages": many(closed({"payload": {"type": "object"}}, contentType=TEXT)),
                "schemas": many({"type": "object"}),
            }
        ),
    }
)


def test_the_files_are_what_the_event_classes_make() -> None:
    kept = {str(path.relative_to(DOCS)): path.read_text(encoding="utf-8") for path in DOCS.glob("schemas/*")}
    kept["asyncapi.yaml"] = (DOCS / "asyncapi.yaml").read_text(encoding="utf-8")
    assert kept == files(), "write them anew: python -m kiosk.mqtt.contract"


def test_the_files_can_be_read_and_say_the_same() -> None:
    made = dict(files())
    assert yaml.safe_load(made.pop("asyncapi.yaml")) == contract()
    assert {name: json.loads(text) for name, text in made.items()} == {
        f"schemas/{type_}.json": entry_schema(type_) for type_ in EVENTS
    }


# ---- AsyncAPI


def test_the_document_has_the_form_of_asyncapi() -> None:
    Draft202012Validator.check_schema(ASYNCAPI)
    Draft202012Validator(ASYNCAPI).validate(contract())


def references(value: Any) -> Iterator[str]:  # noqa: ANN401 - any part of the document
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref":
                yield one
            else:
                yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_every_reference_leads_somewhere() -> None:
    document = contract()
    for reference in references(document):
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in at, reference
            at = at[part]


def test_every_message_and_every_schema_is_used() -> None:
    document = contract()
    used = set(references(document))
    for kind in ("messages", "schemas"):
        assert {f"#/components/{kind}/{name}" for name in document["components"][kind]} <= used


def test_every_channel_names_its_parameters_and_has_an_operation() -> None:
    document = contract()
    for name, channel in document["channels"].items():
        assert re.findall(r"\{(\w+)\}", channel["address"]) == list(channel.get("parameters", {}))
        assert document["operations"][name]["channel"] == {"$ref": f"#/channels/{name}"}


def test_a_cabinet_sends_what_is_from_it_and_receives_the_rest() -> None:
    document = contract()
    for name, channel in document["channels"].items():
        is_from = channel["address"].startswith("trousseau/v1/from/{node}/")
        assert document["operations"][name]["action"] == ("send" if is_from else "receive")


def test_every_schema_is_one() -> None:
    for one in contract()["components"]["schemas"].values():
        Draft202012Validator.check_schema(one)


def test_every_event_has_a_message_whose_name_is_its_type() -> None:
    assert set(contract()["channels"]["events"]["messages"]) == set(EVENTS)


# ---- JSON Schemas


@pytest.mark.parametrize("type_", EVENTS)
def test_the_schema_of_an_entry_is_one_and_needs_no_other_file(type_: str) -> None:
    made = entry_schema(type_)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(made)
    assert all(reference.startswith("#/$defs/") for reference in references(made))


@pytest.mark.parametrize("type_", EVENTS)
def test_what_dataschema_names_is_the_schema_of_the_data(type_: str) -> None:
    # CloudEvents 1.0: `dataschema` names the schema of `data`, not that of the whole event.
    assert entry_schema(type_)["properties"]["data"]["$id"] == schema(type_)


def an_entry(**changes: object) -> dict[str, Any]:
    """An entry as it is published, with changes."""
    entry = Entry(
        node="armoire-7",
        stream="0b7e9f5e-7a53-4d4e-9d6b-2f8c1f3c6a10",
        sequence=1,
        type="people.left",
        subject="p-1",
        time="2026-11-23T06:00:00.000Z",
        prev=NO_ENTRY,
        monotonic=1,
        boot="a-boot",
        clock_set=True,
        actor="p-2",
        command="c-1",
        data={"person": "p-1"},
    )
    made: dict[str, Any] = json.loads(seal(entry))
    return made | changes


def test_the_schema_takes_an_entry_and_a_field_that_a_later_version_adds_to_its_data() -> None:
    validator = Draft202012Validator(entry_schema("people.left"))
    validator.validate(an_entry())
    validator.validate(an_entry(data={"person": "p-1", "reason": "retired"}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "people.enrolled"},
        {"dataschema": schema("people.enrolled")},
        {"data": {}},
        {"data": {"person": 1}},
        {"sequence": 1},
        {"prev": "0"},
        {"clock": "unsure"},
        {"new": "one"},
    ],
    ids=str,
)
def test_the_schema_takes_nothing_else(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(entry_schema("people.left")).validate(an_entry(**wrong))


def test_the_schemas_know_the_attributes_that_entries_have() -> None:
    for type_ in EVENTS:
        assert set(entry_schema(type_)["properties"]) == set(an_entry())


def test_the_document_for_subscribers_tells_of_every_attribute_in_both_languages() -> None:
    text = (DOCS / "subscribing.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    told = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(told) == sorted(2 * list(set(an_entry()) - {"specversion", "datacontenttype"}))
