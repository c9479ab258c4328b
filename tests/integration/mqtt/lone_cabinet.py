"""A cabinet in a process of its own, to be cut off: `python -m tests.integration.mqtt.lone_cabinet FOLDER PORT PROTOCOL`."""

import sys
import time
from pathlib import Path
from typing import cast

from kiosk.mqtt.client import BrokerAddress, Protocol
from tests.integration.hq.parts import Cabinet
from tests.services import LOOPBACK

if __name__ == "__main__":
    folder, port, protocol = sys.argv[1:]
    Cabinet(Path(folder)).connect(BrokerAddress(LOOPBACK, int(port), cast("Protocol", protocol)))
    time.sleep(60)
