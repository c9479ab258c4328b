"""Links to a broker, and what they tell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

from kiosk.mqtt.client import (
    BrokerAddress,
    Cause,
    Connected,
    Delivered,
    Happening,
    Link,
    Lost,
    Message,
    Published,
    Refused,
)

Kind = TypeVar("Kind", Connected, Delivered, Lost, Published, Refused)


class Heard:
    """Everything a link has told."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[Happening] = SimpleQueue()

    def next(self, kind: type[Kind]) -> Kind:
        """The next happening of this kind; others are passed over."""
        while True:
            happening = self.inbox.get(timeout=10)
            if isinstance(happening, kind):
                return happening


@contextmanager
def a_link(
    broker: BrokerAddress, heard: Callable[[Happening], None], *subscriptions: str, manual: int = 0
) -> Iterator[Link]:
    will = Message("last/words", b"gone", retain=True)
    link = Link(broker, "us", subscriptions=subscriptions or ["any"], will=will, heard=heard, inflight=0, manual=manual)
    link.open()
    try:
        yield link
    finally:
        link.close()


def refused(heard: Heard, cause: Cause, reason: str) -> None:
    """Wait until the link tells of this; it may tell of a connection that was cut before."""
    while True:
        told = heard.next(Refused)
        assert told.cause is cause
        if reason in told.reason:
            return
