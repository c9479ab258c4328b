"""Headquarters in a process of its own that cuts itself off with SIGKILL at a chosen moment.

`python -m tests.integration.hq.doomed URL PORT MOMENT`, where the moment is `before-commit`, `before-puback`,
`before-ack` or `never`.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from kiosk.hq.subscriber import Subscriber
from kiosk.mqtt.client import BrokerAddress, Delivered, Link, Message
from kiosk.store.central import CENTRAL
from kiosk.store.database import Database
from kiosk.store.prefix import Prefix
from tests.services import LOOPBACK


def cut_off() -> None:
    """As a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def doom(owner: type, method: str, applies: Callable[..., bool]) -> None:
    """Cut off just before `method` does what `applies` says."""
    original = getattr(owner, method)

    def doomed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - stands in for any method
        if applies(*arguments, **named):
            cut_off()
        return original(*arguments, **named)

    setattr(owner, method, doomed)


def an_ack_of_something(_: Link, message: Message) -> bool:
    """Whether this acknowledges at least one entry."""
    return message.topic.endswith("/ack") and b'"size":0' not in message.payload


def an_entry(_: Link, delivered: Delivered) -> bool:
    """Whether this confirms to the broker that an entry was dealt with."""
    return "/events/" in delivered.topic


def main(url: str, port: str, moment: str) -> None:
    """Run until cut off."""
    if moment == "before-commit":
        # Everything is written, nothing committed.
        settle = Prefix.settle

        def settled(prefix: Prefix) -> bool:
            if settle(prefix):
                cut_off()
            return False

        setattr(Prefix, "settle", settled)  # noqa: B010 - mypy takes no assignment to a method
    elif moment == "before-puback":
        doom(Link, "take", an_entry)
    elif moment == "before-ack":
        doom(Link, "publish", an_ack_of_something)
    Subscriber(Database(url, CENTRAL, gapless=False), BrokerAddress(LOOPBACK, int(port))).start()
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
