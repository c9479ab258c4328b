"""Cabinets, brokers and databases to deliver between."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.mqtt.broker import AmqttThread
from kiosk.mqtt.client import BrokerAddress
from kiosk.store.database import Database
from kiosk.store.tables import HEADQUARTERS
from tests.conftest import StartMosquitto
from tests.integration.hq.parts import LOG_KEYS, Cabinet, Ear
from tests.services import LOOPBACK

MakeCabinet = Callable[..., Cabinet]
MakeEar = Callable[..., Ear]


@pytest.fixture(autouse=True)
def no_journal_known() -> None:
    """A headquarters lets in the journals of its own test."""
    LOG_KEYS.clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database for headquarters, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/headquarters.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def central(database_url: str) -> Iterator[Database]:
    """Headquarters' database, opened."""
    database = Database(database_url, HEADQUARTERS, gapless=False)
    yield database
    database.close()


@pytest.fixture
def broker(mosquitto: StartMosquitto) -> BrokerAddress:
    """mosquitto, where it listens."""
    return BrokerAddress(LOOPBACK, mosquitto().port)


@pytest.fixture(params=["mosquitto", "amqtt"])
def any_broker(request: pytest.FixtureRequest) -> Iterator[BrokerAddress]:
    """Each of the brokers that the demo may run on."""
    if request.param == "mosquitto":
        yield request.getfixturevalue("broker")
        return
    embedded = AmqttThread()
    yield embedded.address
    embedded.stop()


@pytest.fixture
def make_cabinet(tmp_path: Path, mosquitto: StartMosquitto) -> Iterator[MakeCabinet]:
    """Make cabinets; their relays are stopped after the test, and before the broker, which they would look for."""
    made: list[Cabinet] = []

    def make(node: str = "armoire-7", stream: str | None = None) -> Cabinet:
        made.append(Cabinet(tmp_path / f"cabinet-{len(made)}", node, stream))
        return made[-1]

    yield make
    for cabinet in made:
        cabinet.close()


@pytest.fixture
def cabinet(make_cabinet: MakeCabinet) -> Cabinet:
    """One cabinet, not connected yet."""
    return make_cabinet()


@pytest.fixture
def ear() -> Iterator[MakeEar]:
    """Make plain MQTT clients; all are closed after the test."""
    made: list[Ear] = []

    def make(broker: BrokerAddress, *filters: str, client_id: str = "") -> Ear:
        made.append(Ear(broker, *filters, client_id=client_id))
        return made[-1]

    yield make
    for one in made:
        one.close()
