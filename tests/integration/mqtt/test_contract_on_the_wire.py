"""Messages that really went over a broker, held against the contract that others build on."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import read_frame
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import Cabinet, a_life, documents_of, headquarters
from tests.services import wait_until

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[3] / "docs" / "asyncapi.yaml").read_text())


def channel_of(topic: str) -> str:
    """The one channel that this topic belongs to."""
    fitting: list[str] = [
        name
        for name, channel in CONTRACT["channels"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", channel["address"]), topic)
    ]
    assert len(fitting) == 1, f"{topic} belongs to {fitting}"
    return fitting[0]


def check(channel: str, payload: bytes) -> str:
    """Validate a payload; the name of the message that it is."""
    if channel == "documents":
        assert read_frame(payload) is not None
        return "Document"
    plain = json.loads(payload)
    names = list(CONTRACT["channels"][channel]["messages"])
    name: str = plain["type"] if channel == "events" else names[0]
    assert name in names
    schema = {"$ref": f"#/components/messages/{name}/payload", "components": CONTRACT["components"]}
    Draft202012Validator(schema).validate(plain)
    return name


def test_every_message_that_went_over_the_wire_is_as_the_contract_says(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path, ear: MakeEar
) -> None:
    everything = ear(broker, "trousseau/#")
    a_life(cabinet)
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker) as (central, _):
        cabinet.connect(broker)
        cabinet.wait()
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")
        cabinet.disconnect()
    seen = {(channel := channel_of(topic), check(channel, payload)) for topic, payload, _ in everything.all()}
    promised = {(name, message) for name, channel in CONTRACT["channels"].items() for message in channel["messages"]}
    assert seen == promised


@pytest.mark.parametrize(
    ("channel", "wrong"),
    [
        ("status", {"online": "yes", "version": "1", "stream": "s"}),
        ("ack", {"instance": "i", "stream": "s", "size": -1}),
        ("wanted", ["not a digest"]),
        ("headquarters", {"online": True}),
    ],
)
def test_the_contract_refuses_what_is_not_in_it(channel: str, wrong: object) -> None:
    with pytest.raises(ValidationError):
        check(channel, json.dumps(wrong).encode())


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
