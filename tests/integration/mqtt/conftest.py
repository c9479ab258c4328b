"""The same cabinets, brokers and ears as headquarters' tests, and a headquarters moved by hand."""

import pytest

from kiosk.mqtt.client import BrokerAddress
from tests.integration.hq.conftest import MakeEar, any_broker, broker, cabinet, ear, make_cabinet
from tests.integration.mqtt.puppet import Puppet

__all__ = ["any_broker", "broker", "cabinet", "ear", "make_cabinet"]


@pytest.fixture
def puppet(broker: BrokerAddress, ear: MakeEar) -> Puppet:
    """A headquarters that does what the test says."""
    return Puppet(ear, broker)
