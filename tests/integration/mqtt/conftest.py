"""The same cabinets, brokers and ears as headquarters' tests, a headquarters moved by hand, and a broker as it is deployed."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from kiosk.mqtt.client import BrokerAddress
from tests.conftest import StartMosquitto
from tests.integration.hq.conftest import MakeEar, any_broker, broker, cabinet, ear, make_cabinet, no_journal_known
from tests.integration.mqtt.puppet import Puppet
from tests.integration.mqtt.secured import Secured, Stranger, certify, start

__all__ = ["any_broker", "broker", "cabinet", "ear", "make_cabinet", "no_journal_known"]

StartSecured = Callable[[Mapping[str, str]], Secured]
MakeStranger = Callable[..., Stranger]


@pytest.fixture
def puppet(broker: BrokerAddress, ear: MakeEar) -> Puppet:
    """A headquarters that does what the test says."""
    return Puppet(ear, broker)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and bad certificates, made once."""
    folder = tmp_path_factory.mktemp("certificates")
    certify(folder)
    return folder


@pytest.fixture
def start_secured(mosquitto: StartMosquitto, certificates: Path, tmp_path: Path) -> StartSecured:
    """Start the deployed broker on certificates of the test's own, with changes to its configuration."""
    folder = shutil.copytree(certificates, tmp_path / "trousseau")
    return lambda changes: start(mosquitto, folder, changes)


@pytest.fixture
def secured(start_secured: StartSecured) -> Secured:
    """The deployed broker, as it is."""
    return start_secured({})


@pytest.fixture
def stranger(secured: Secured) -> Iterator[MakeStranger]:
    """Make strangers at the deployed broker; all are gone after the test."""
    made: list[Stranger] = []

    def make(certificate: str, calls_itself: str = "", user: str | None = None, will: str | None = None) -> Stranger:
        made.append(Stranger(secured, certificate, calls_itself, user, will))
        return made[-1]

    yield make
    for one in made:
        one.close()
