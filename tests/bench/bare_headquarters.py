"""The least that a headquarters can be: paho → psycopg, insert, commit, answer. A process of its own, as the real one is.

python -m tests.bench.bare_headquarters BROKER_PORT CONNINFO
"""

from __future__ import annotations

import socket
import sys
from typing import Any, Final

import psycopg
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.services import LOOPBACK

ENTRY: Final = "bench/entry"
STORED: Final = "bench/stored"
READY: Final = "ready"


def bare_client(name: str) -> Client:
    """MQTT 5 without Nagle's delay, as both ends of ours have it."""
    client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_socket_open = _without_delay
    return client


def _without_delay(_: Client, __: object, opened: Any) -> None:  # noqa: ANN401 - a socket or paho's wrapper of one
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def main(port: int, conninfo: str) -> None:
    """Store what comes, one message at a time, until killed."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE kept (id bigserial PRIMARY KEY, bytes bytea NOT NULL)")
        connection.commit()

        def connected(client: Client, _: object, __: ConnectFlags, ___: ReasonCode, ____: Properties | None) -> None:
            client.subscribe(ENTRY, 1)

        def subscribed(_: Client, __: object, ___: int, ____: list[ReasonCode], _____: Properties | None) -> None:
            print(READY, flush=True)

        def came(client: Client, _: object, message: MQTTMessage) -> None:
            connection.execute("INSERT INTO kept (bytes) VALUES (%s)", (message.payload,))
            connection.commit()
            client.publish(STORED, b"1", 1)

        client = bare_client("bare-headquarters")
        client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, came
        client.connect(LOOPBACK, port)
        client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
