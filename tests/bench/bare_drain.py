"""The least that a headquarters in a flow can be: paho → psycopg, insert a batch, commit, answer. A process of its own.

python -m tests.bench.bare_drain BROKER_PORT CONNINFO
"""

from __future__ import annotations

import sys
from queue import Empty, SimpleQueue
from typing import Final

import psycopg
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.bench.bare_headquarters import ENTRY, READY, STORED, bare_client
from tests.services import LOOPBACK

LARGEST_BATCH: Final = 500
_INSERT: Final = "INSERT INTO kept (bytes) VALUES (%s)"


def main(port: int, conninfo: str) -> None:
    """Store what comes, a batch at a time, until killed."""
    came: SimpleQueue[bytes] = SimpleQueue()
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE kept (id bigserial PRIMARY KEY, bytes bytea NOT NULL)")
        connection.commit()
        client = bare_client("bare-drain")
        client.on_connect, client.on_subscribe = _connected, _subscribed
        client.on_message = lambda _, __, message: came.put(bytes(message.payload))
        client.connect(LOOPBACK, port)
        client.loop_start()
        count = 0
        while True:
            batch = _batch(came)
            with connection.cursor() as cursor:
                cursor.executemany(_INSERT, [(body,) for body in batch])
            connection.commit()
            count += len(batch)
            client.publish(STORED, str(count).encode(), 1)


def _connected(client: Client, _: object, __: ConnectFlags, ___: ReasonCode, ____: Properties | None) -> None:
    client.subscribe(ENTRY, 1)


def _subscribed(_: Client, __: object, ___: int, ____: list[ReasonCode], _____: Properties | None) -> None:
    print(READY, flush=True)


def _batch(came: SimpleQueue[bytes]) -> list[bytes]:
    batch = [came.get()]
    try:
        while len(batch) < LARGEST_BATCH:
            batch.append(came.get_nowait())
    except Empty:
        pass
    return batch


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
