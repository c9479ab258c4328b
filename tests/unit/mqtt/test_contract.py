"""The contract file is what the code makes, and is a sound AsyncAPI document."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from kiosk.domain.events import EVENTS
from kiosk.mqtt.contract import contract, text

FILE = Path(__file__).parents[3] / "docs" / "asyncapi.yaml"


def test_the_file_is_what_the_event_classes_make() -> None:
    assert FILE.read_text() == text(), "write it anew: python -m kiosk.mqtt.contract > docs/asyncapi.yaml"
    assert yaml.safe_load(text()) == contract()


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


def test_every_channel_names_its_parameters_and_has_an_operation() -> None:
    document = contract()
    for name, channel in document["channels"].items():
        assert re.findall(r"\{(\w+)\}", channel["address"]) == list(channel.get("parameters", {}))
        assert document["operations"][name]["channel"] == {"$ref": f"#/channels/{name}"}


def test_every_schema_is_one() -> None:
    for schema in contract()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_event_has_a_message_whose_name_is_its_type() -> None:
    assert set(contract()["channels"]["events"]["messages"]) == set(EVENTS)
