"""PostgreSQL ends in the middle of a batch: that batch fails, and the next one finds a connection that works."""

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Final

import psycopg
import pytest
from sqlalchemy import make_url, select, text

from kiosk.domain.errors import StorageFailed
from kiosk.store.database import Database
from kiosk.store.tables import HEADQUARTERS, documents
from kiosk.store.writing import insert_new, together
from tests.services import LOOPBACK

#: How long after the server's last words its end is noticed, seconds.
LATE: Final = 0.1
#: How long its last words take to us.
SOON: Final = 0.002
#: What we have heard of it when we go on differs from time to time.
TIMES: Final = 4
MOMENTS: Final = ("before the writes", "after the writes", "after the commit")


class SlowWire(ThreadingTCPServer):
    """A way to a port on which the end of the other side is noticed late."""

    def __init__(self, port: int) -> None:
        super().__init__((LOOPBACK, 0), _Wire)
        self.to = port


class _Wire(BaseRequestHandler):
    server: SlowWire
    request: socket.socket

    def handle(self) -> None:
        with socket.create_connection((LOOPBACK, self.server.to)) as there:
            forth = Thread(target=_pump, args=(self.request, there))
            forth.start()
            _pump(there, self.request)
            time.sleep(LATE)
            with suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
            forth.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(65_536):
            sink.sendall(said)


@contextmanager
def behind_a_slow_wire(url: str) -> Iterator[Database]:
    address = make_url(url)
    assert address.port is not None
    with SlowWire(address.port) as wire:
        serving = Thread(target=wire.serve_forever, args=(0.01,))
        serving.start()
        try:
            there = address.set(port=wire.server_address[1]).render_as_string(hide_password=False)
            with closing(Database(there, HEADQUARTERS, gapless=False)) as database:
                yield database
        finally:
            wire.shutdown()
            serving.join()


def store(database: Database, name: str, other: psycopg.Connection, ends: str = "") -> None:
    """Store a document; at the moment `ends` the server's process that serves us ends, by the word of another connection."""
    with database.deciding() as connection:
        process = connection.execute(text("select pg_backend_pid()")).scalar_one()
        with together(connection):
            for moment in MOMENTS:
                if moment == "after the writes":
                    insert_new(connection, documents, [{"digest": name, "salt": b"", "content": b""}])
                elif moment == "after the commit":
                    connection.commit()
                if moment == ends:
                    other.execute("select pg_terminate_backend(%s)", [process])
                    time.sleep(SOON)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_that_ends_within_a_batch_costs_that_batch_and_leaves_no_broken_connection(
    postgres_url: str, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    address = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with behind_a_slow_wire(postgres_url) as database, psycopg.connect(address, autocommit=True) as other:
        for number in range(TIMES):
            with pytest.raises(StorageFailed):
                store(database, f"{number}", other, moment)
            store(database, f"{number} again", other)
        with database.read() as connection:
            stored = set(connection.execute(select(documents.c.digest)).scalars())
    assert stored >= {f"{number} again" for number in range(TIMES)}
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
