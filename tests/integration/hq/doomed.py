"""Headquarters in a process of its own that cuts itself off with SIGKILL at a chosen moment.

`python -m tests.integration.hq.doomed URL PORT MOMENT`, where the moment is `while-settling`, `before-commit`, `before-puback`,
`before-ack` or `never`.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from kiosk.hq.subscriber import Subscriber
from kiosk.hq.witness import SigningWitness
from kiosk.mqtt.client import BrokerAddress, Delivered, Link, Message
from kiosk.store.database import Database
from kiosk.store.stream import Stream
from kiosk.store.tables import HEADQUARTERS
from tests.integration.hq.parts import HQ_KEY
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


def after_a_signature(stream: Stream, *_: object) -> bool:
    """Whether a head is cosigned, and so the entries that it covers are appended, while the stream's row is as it was."""
    return stream.answer.cosigned is not None


def die_at_the_commit_of_an_entry() -> None:
    """Cut off when everything is written and nothing committed."""
    settle, written = Stream.settle, set[bool]()

    def settled(stream: Stream, *arguments: Any) -> Any:  # noqa: ANN401 - stands in for the method
        done = settle(stream, *arguments)
        written.add(done.advanced > 0)
        return done

    setattr(Stream, "settle", settled)  # noqa: B010 - mypy takes no assignment to a method
    event.listen(Engine, "commit", lambda _: cut_off() if True in written else None)


def an_ack_of_something(_: Link, message: Message) -> bool:
    """Whether this acknowledges at least one entry."""
    return message.topic.endswith("/ack") and b'"checkpoint"' in message.payload


def an_entry(_: Link, delivered: Delivered) -> bool:
    """Whether this confirms to the broker that an entry was dealt with."""
    return "/events/" in delivered.topic


def main(url: str, port: str, moment: str) -> None:
    """Run until cut off."""
    if moment == "while-settling":
        doom(Stream, "confirm", after_a_signature)
    elif moment == "before-commit":
        die_at_the_commit_of_an_entry()
    elif moment == "before-puback":
        doom(Link, "take", an_entry)
    elif moment == "before-ack":
        doom(Link, "publish", an_ack_of_something)
    database = Database(url, HEADQUARTERS, gapless=False)
    Subscriber(database, BrokerAddress(LOOPBACK, int(port)), SigningWitness([HQ_KEY])).start()
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
