"""Several headquarters on one database: one serves, the others stand by and take over."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from kiosk.hq import subscriber as subscriber_module
from kiosk.mqtt.client import BrokerAddress
from kiosk.store import database as database_module
from tests.conftest import StartMosquitto, StartPostgres
from tests.integration.hq.parts import Cabinet, central_database, headquarters, stored
from tests.services import LOOPBACK, dying_with_us, wait_until

ROOT = Path(__file__).parents[3]
#: Who holds the right to serve; the database's own lock tells.
HOLDERS = "select pid from pg_locks where locktype = 'advisory' and granted"


@contextmanager
def a_process(url: str, broker: BrokerAddress) -> Iterator[subprocess.Popen[bytes]]:
    """Headquarters in a process of its own."""
    command = [*dying_with_us("KILL"), sys.executable, "-m", "tests.integration.hq.doomed"]
    with subprocess.Popen([*command, url, str(broker.port), "never"], cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def holders(url: str) -> list[int]:
    """The server processes that hold the right to serve."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        return [pid for (pid,) in connection.execute(HOLDERS)]


def cut(url: str) -> None:
    """End the connection of the one who has the right to serve, as a network does; it goes to somebody anew."""
    before = holders(url)
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"select pg_terminate_backend(pid) from ({HOLDERS}) as holders".encode())
    wait_until(lambda: holders(url) not in ([], before), "another holder", 10)


def goes_on(cabinet: Cabinet, patience: float = 30) -> None:
    """What is recorded now is acknowledged."""
    cabinet.record_many(3)
    cabinet.wait(patience)


def test_when_the_one_that_serves_is_killed_the_other_serves_within_seconds(
    cabinet: Cabinet, mosquitto: StartMosquitto, postgres_url: str
) -> None:
    server = mosquitto()
    broker = BrokerAddress(LOOPBACK, server.port)
    with central_database(postgres_url) as central:
        cabinet.connect(broker)
        with a_process(postgres_url, broker) as first:
            goes_on(cabinet)
            with a_process(postgres_url, broker):
                time.sleep(2)
                assert server.log.count("as hq (") == 1, "the standby keeps away from the broker"
                assert len(holders(postgres_url)) == 1
                first.kill()
                began = time.monotonic()
                goes_on(cabinet)
                assert time.monotonic() - began < 10
                assert server.log.count("as hq (") == 2
                assert stored(central) == cabinet.bodies()


def test_who_has_lost_the_right_stops_serving_and_takes_over_again_later_from_what_the_other_has_done(
    cabinet: Cabinet, mosquitto: StartMosquitto, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that it is the other one who is quicker.
    monkeypatch.setattr(subscriber_module, "FIRST_PAUSE", 4.0)
    # It has to find out by being thrown out at the broker.
    monkeypatch.setattr(database_module, "LOOK_AGAIN", 60.0)
    server = mosquitto()
    broker = BrokerAddress(LOOPBACK, server.port)
    with headquarters(postgres_url, broker) as (central, first):
        cabinet.connect(broker)
        goes_on(cabinet)
        with a_process(postgres_url, broker):
            cut(postgres_url)
            wait_until(lambda: server.log.count("as hq (") == 2, "the other one serves")
            time.sleep(2)
            assert not first.online
            assert server.log.count("as hq (") == 2, "they throw each other out"
            goes_on(cabinet)
        goes_on(cabinet)
        assert first.online
        assert stored(central) == cabinet.bodies()


def test_on_an_sqlite_file_a_second_one_stands_by_too(cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hq.db"
    cabinet.connect(broker)
    with headquarters(url, broker) as (_, first):
        goes_on(cabinet)
        with a_process(url, broker):
            time.sleep(1.5)
            assert first.online
            goes_on(cabinet)
            first.stop()
            began = time.monotonic()
            goes_on(cabinet)
            assert time.monotonic() - began < 10


@pytest.mark.parametrize("quiet", [0.2, 2.0])
def test_while_the_server_restarts_nothing_is_acknowledged_and_then_everything(
    cabinet: Cabinet, broker: BrokerAddress, start_postgres: StartPostgres, quiet: float
) -> None:
    cluster = start_postgres()
    with headquarters(cluster.url(cluster.create_database()), broker) as (central, subscriber):
        relay = cabinet.connect(broker)
        goes_on(cabinet)
        cluster.stop()
        cabinet.record_many(100)
        time.sleep(quiet)
        assert relay.status.acked == 3
        cluster.start()
        cabinet.wait()
        assert subscriber.online
        assert stored(central) == cabinet.bodies()
