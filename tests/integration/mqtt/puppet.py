"""A headquarters that does what a test says, and nothing by itself."""

import time
from queue import Empty

from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import Ack, HeadquartersStatus, encode
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import NODE, Cabinet, numbers


class Puppet:
    """Hears every entry; says what it is told to."""

    def __init__(self, ear: MakeEar, broker: BrokerAddress) -> None:
        self.ear = ear(broker, topics.EVERY_EVENT, topics.EVERY_DOCUMENT)

    def come(self, instance: str = "one") -> None:
        """Be there, as this instance."""
        self._say(topics.HEADQUARTERS_STATUS, encode(HeadquartersStatus(online=True, instance=instance)))

    def go(self, instance: str = "one") -> None:
        """Be away; as a will says it too."""
        self._say(topics.HEADQUARTERS_STATUS, encode(HeadquartersStatus(online=False, instance=instance)))

    def ack(self, cabinet: Cabinet, size: int, instance: str = "one", stream: str | None = None) -> None:
        """Say how much of the cabinet's journal is safe."""
        answer = Ack(instance=instance, stream=stream or cabinet.journal.stream, size=size)
        self._say(topics.ack(NODE), encode(answer))

    def hears(self, first: int, last: int, patience: float = 10) -> None:
        """Wait until exactly these entries have come, in order."""
        heard: list[int] = []
        deadline = time.monotonic() + patience
        while len(heard) < last - first + 1:
            heard += numbers([self.ear.next(max(0.01, deadline - time.monotonic()))[1]])
        assert heard == list(range(first, last + 1))

    def hears_nothing(self, quiet: float = 0.5) -> None:
        """Nothing comes for a while."""
        try:
            topic, _, _ = self.ear.next(quiet)
        except Empty:
            return
        raise AssertionError(f"heard {topic}")

    def _say(self, topic: str, payload: bytes) -> None:
        self.ear.say(topic, payload, retain=True)
