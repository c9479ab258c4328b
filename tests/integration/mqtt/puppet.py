"""A headquarters that does what a test says, and nothing by itself."""

import time
from queue import Empty
from typing import Final

from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint, Refusal, open_signed
from kiosk.ledger.note import SigningKey
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import Ack, HeadquartersStatus, encode
from tests.integration.hq.conftest import MakeEar
from tests.integration.hq.parts import HQ_KEY, NODE, Cabinet, numbers

#: When it signs, seconds since 1970.
AT: Final = 1_795_413_600
#: A root that no journal has.
NOWHERE: Final = bytes(32)


def a_cosigned_head(cabinet: Cabinet, size: int, root: bytes | None = None, key: SigningKey = HQ_KEY) -> bytes:
    """The cabinet's head of this size with a cosignature; of another history when its root is given."""
    head = Checkpoint(cabinet.heads.origin, size, root or cabinet.journal.frontier(size).root())
    return checkpoint.cosign(checkpoint.sign(head, cabinet.keys), [key], AT)


def a_refusal(cabinet: Cabinet, size: int, root: bytes | None = None, key: SigningKey = HQ_KEY) -> bytes:
    """The refusal of the cabinet's head of this size; of another head when its root is given."""
    refused = root or cabinet.journal.frontier(size).root()
    return checkpoint.sign_refusal(Refusal(cabinet.heads.origin, size, refused, size, NOWHERE, AT), [key])


class Puppet:
    """Hears every entry; says what it is told to."""

    def __init__(self, ear: MakeEar, broker: BrokerAddress) -> None:
        self.ear = ear(broker, topics.EVERY_EVENT, topics.EVERY_DOCUMENT)
        self._heads = ear(broker, topics.EVERY_CHECKPOINT)

    def come(self, instance: str = "one") -> None:
        """Be there, as this instance."""
        self._say(topics.HEADQUARTERS_STATUS, encode(HeadquartersStatus(online=True, instance=instance)))

    def welcome(self, cabinet: Cabinet, instance: str = "one") -> None:
        """Be there, and tell the cabinet that nothing is signed for yet."""
        self.come(instance)
        self.answer(cabinet, None, instance=instance)

    def go(self, instance: str = "one") -> None:
        """Be away; as a will says it too."""
        self._say(topics.HEADQUARTERS_STATUS, encode(HeadquartersStatus(online=False, instance=instance)))

    def ack(self, cabinet: Cabinet, size: int, instance: str = "one", refusal: bytes | None = None) -> None:
        """Sign for the cabinet's first entries."""
        self.answer(cabinet, a_cosigned_head(cabinet, size), refusal, instance)

    def answer(
        self,
        cabinet: Cabinet,
        head: bytes | None,
        refusal: bytes | None = None,
        instance: str = "one",
        stream: str | None = None,
    ) -> None:
        """Say this of the cabinet's journal, or of another."""
        notes = [None if note is None else note.decode() for note in (head, refusal)]
        self._say(topics.ack(NODE), encode(Ack(instance, stream or cabinet.journal.stream, *notes)))

    def hears(self, first: int, last: int, patience: float = 10) -> None:
        """Wait until exactly these entries have come, in order."""
        heard: list[int] = []
        deadline = time.monotonic() + patience
        while len(heard) < last - first + 1:
            heard += numbers([self.ear.next(max(0.01, deadline - time.monotonic()))[1]])
        assert heard == list(range(first, last + 1))

    def hears_nothing(self, quiet: float = 0.5) -> None:
        """No entry and no document comes for a while."""
        try:
            topic, _, _ = self.ear.next(quiet)
        except Empty:
            return
        raise AssertionError(f"heard {topic}")

    def sees(self, cabinet: Cabinet) -> Checkpoint:
        """The next head that the cabinet has signed."""
        return open_signed(self.next_head(), cabinet.heads.origin, [key.verifier for key in cabinet.keys])

    def next_head(self) -> bytes:
        """The next head, as it came."""
        return self._heads.next()[1]

    def _say(self, topic: str, payload: bytes) -> None:
        self.ear.say(topic, payload, retain=True)
