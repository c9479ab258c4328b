"""Headquarters in a process of its own, until it is killed: `python -m tests.integration.chaos.headquarters URL PORT`."""

import sys
import time

from kiosk.domain.errors import StorageFailed
from kiosk.hq.subscriber import Subscriber
from kiosk.hq.witness import SigningWitness
from kiosk.mqtt.client import BrokerAddress
from kiosk.store.database import Database
from kiosk.store.tables import HEADQUARTERS
from tests.integration.hq.parts import HQ_KEY
from tests.services import LOOPBACK


def opened(url: str) -> Database:
    """The database, as soon as it answers; a service manager would start us again until then."""
    while True:
        try:
            return Database(url, HEADQUARTERS, gapless=False)
        except StorageFailed:
            time.sleep(0.5)


def main(url: str, port: int) -> None:
    """Run until killed."""
    Subscriber(opened(url), BrokerAddress(LOOPBACK, port), SigningWitness([HQ_KEY])).start()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
