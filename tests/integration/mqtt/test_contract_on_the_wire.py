"""Messages that really went over a broker, held against the contract that others build on."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from kiosk.domain.events import StreamOpened
from kiosk.domain.identifiers import Digest, Root, Size, StreamId
from kiosk.ledger.entry import digest
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import read_frame
from kiosk.mqtt.recall import Recaller
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import NODE, Cabinet, a_life, documents_of, headquarters
from tests.services import wait_until

DOCS = Path(__file__).parents[3] / "docs"
CONTRACT: dict[str, Any] = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
JSON = ("application/json", "application/cloudevents+json")
#: The schemas of entries by the `dataschema` that these entries name.
SCHEMAS: dict[str, dict[str, Any]] = {
    schema["properties"]["dataschema"]["const"]: schema
    for schema in (json.loads(file.read_text()) for file in DOCS.glob("schemas/*.json"))
}


def channel_of(topic: str) -> str:
    """The one channel that this topic belongs to."""
    fitting: list[str] = [
        name
        for name, channel in CONTRACT["channels"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", channel["address"]), topic)
    ]
    assert len(fitting) == 1, f"{topic} belongs to {fitting}"
    return fitting[0]


def message_of(channel: str, payload: bytes) -> str:
    """The name of the message that a payload claims to be."""
    if channel == "events":
        return str(json.loads(payload)["type"])
    names: list[str] = list(CONTRACT["channels"][channel]["messages"])
    return names[0] if payload else names[-1]


def check(channel: str, payload: bytes) -> str:
    """Validate a payload; the name of the message that it is."""
    name = message_of(channel, payload)
    assert name in CONTRACT["channels"][channel]["messages"]
    if name == "Document":
        assert read_frame(payload) is not None
        return name
    is_json = CONTRACT["components"]["messages"][name].get("contentType", CONTRACT["defaultContentType"]) in JSON
    value: Any = json.loads(payload) if is_json else payload.decode()
    schema = {"$ref": f"#/components/messages/{name}/payload", "components": CONTRACT["components"]}
    Draft202012Validator(schema).validate(value)
    if channel == "events":
        Draft202012Validator(SCHEMAS[value["dataschema"]]).validate(value)
    if name == "RecalledEntries":
        assert all(check("events", line) for line in payload.splitlines())
    return name


def test_every_message_that_went_over_the_wire_is_as_the_contract_says(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path, ear: MakeEar
) -> None:
    everything = ear(broker, "trousseau/#")
    a_life(cabinet)
    cabinet.record(
        StreamOpened(
            previous=StreamId("an-earlier-one"), size=Size("0"), root=Root("0" * 64), evidence=cabinet.keep(b"[]")
        )
    )
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker) as (central, _):
        cabinet.connect(broker)
        cabinet.wait()
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")
        cabinet.disconnect()
        with Recaller(broker, NODE, "1.2.3") as recaller:
            (journal,) = recaller.journals()
            assert recaller.entries(journal.stream, 0) == cabinet.bodies()
            assert recaller.entries(journal.stream, len(cabinet.bodies())) == []
            kept = min(document for document, _, _ in documents_of(central))
            assert list(recaller.documents([Digest(kept), Digest(digest(b"unknown"))])) == [kept]
    seen = {(channel := channel_of(topic), check(channel, payload)) for topic, payload, _ in everything.all()}
    promised = {(name, message) for name, channel in CONTRACT["channels"].items() for message in channel["messages"]}
    assert seen == promised


def test_what_the_broker_retains_is_what_the_contract_says(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path, ear: MakeEar
) -> None:
    a_life(cabinet)
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker):
        cabinet.connect(broker)
        cabinet.wait()
        cabinet.disconnect()
    retained = {channel_of(topic) for topic, _, _ in ear(broker, "trousseau/#").all()}
    operations = CONTRACT["operations"]
    assert retained == {name for name in operations if operations[name]["bindings"]["mqtt"]["retain"]}


@pytest.mark.parametrize(
    ("channel", "wrong"),
    [
        ("status", {"online": "yes", "version": "1", "stream": "s"}),
        ("status", {"online": True, "version": "1", "stream": "s", "health": "so-so"}),
        ("ack", {"instance": "i", "stream": "s", "checkpoint": 7}),
        ("wanted", ["not a digest"]),
        ("recall", {"documents": ["not a digest"]}),
        ("recalled", {"journals": [{"stream": "s"}]}),
        ("headquarters", {"online": True}),
    ],
)
def test_the_contract_refuses_what_is_not_in_it(channel: str, wrong: object) -> None:
    with pytest.raises(ValidationError):
        check(channel, json.dumps(wrong).encode())


def test_the_contract_refuses_a_head_without_a_signature() -> None:
    with pytest.raises(ValidationError):
        check("checkpoint", b"trousseau/armoire-7/a-stream\n1\nAAAA\n")


def test_the_contract_refuses_an_entry_with_a_wrong_attribute(cabinet: Cabinet) -> None:
    cabinet.record_many(1)
    good = json.loads(cabinet.bodies()[0])
    assert check("events", json.dumps(good).encode()) == "cabinet.door_left_open"
    changes: list[dict[str, object]] = [
        {"sequence": 1},
        {"prev": "0"},
        {"data": {}},
        {"clock": "unsure"},
        {"new": "one"},
    ]
    for change in changes:
        with pytest.raises(ValidationError):
            check("events", json.dumps(good | change).encode())
