"""A cabinet whose journal was lost asks headquarters for its copy: one question at a time, asked again until it is answered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

from kiosk.domain.errors import HeadquartersSilent
from kiosk.domain.identifiers import Digest
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress, Connected, Delivered, Happening, Link, Message
from kiosk.mqtt.messages import CabinetStatus, Frame, Recall, Recalled, RecalledJournal, decode, encode, read_frame

#: Without an answer the question is asked again, and after so many times given up; seconds, and times.
ANSWER_SECONDS: Final = 3.0
TRIES: Final = 5


class Recaller:
    """Asks in this cabinet's name; nobody else may use it meanwhile.

    Args:
        broker: where headquarters listens.
        node: whose journal.
        version: ours, told in the presence message.
    """

    def __init__(self, broker: BrokerAddress, node: str, version: str) -> None:
        self._node = node
        self._heard: SimpleQueue[Happening] = SimpleQueue()
        away = encode(CabinetStatus(online=False, version=version, stream=""))
        self._link = Link(
            broker,
            node,
            subscriptions=[f"{topics.recalled(node)}/#"],
            will=Message(topics.status(node), away, retain=True),
            heard=self._heard.put,
        )

    def __enter__(self) -> Self:
        self._link.open()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._link.close()

    def journals(self) -> Sequence[RecalledJournal]:
        """Which journals of this cabinet headquarters holds, in the order in which it let them in.

        Raises:
            HeadquartersSilent: no answer came.
        """
        found: list[Recalled] = []

        def take(topic: str, payload: bytes) -> bool:
            answer = decode(payload, Recalled) if topic == topics.recalled(self._node) else None
            found.extend([answer] if answer else [])
            return bool(found)

        self._ask(Recall(), take)
        return found[-1].journals

    def entries(self, stream: str, after: int) -> list[bytes]:
        """Entries that follow this sequence number, as many as headquarters sends at once; none when that was the last.

        Raises:
            HeadquartersSilent: no answer came.
        """
        wanted = topics.recalled_entries(self._node, stream, after)
        found: list[bytes] = []

        def take(topic: str, payload: bytes) -> bool:
            found.extend(payload.split(b"\n") if topic == wanted and payload else [])
            return topic == wanted

        self._ask(Recall(stream=stream, after=after), take)
        return found

    def documents(self, digests: Sequence[Digest]) -> dict[Digest, bytes]:
        """Salt ‖ content of those of these documents that headquarters has.

        Raises:
            HeadquartersSilent: no answer came.
        """
        waiting = {topics.recalled_document(self._node, digest): digest for digest in digests}
        frames: dict[Digest, dict[int, Frame]] = {digest: {} for digest in digests}
        found: dict[Digest, bytes] = {}

        def take(topic: str, payload: bytes) -> bool:
            if topic in waiting:
                frame = read_frame(payload)
                if frame is not None:
                    frames[waiting[topic]][frame.index] = frame
                if frame is None or len(frames[waiting[topic]]) == frame.count:
                    _keep(found, digest := waiting.pop(topic), frames.pop(digest))
            return not waiting

        self._ask(Recall(documents=list(digests)), take)
        return found

    def _ask(self, recall: Recall, take: Callable[[str, bytes], bool]) -> None:
        """Ask until `take`, which is given everything that comes, says that it has the whole answer."""
        question = Message(topics.recall(self._node), encode(recall))
        for _ in range(TRIES):
            self._link.publish(question)
            deadline = time.monotonic() + ANSWER_SECONDS
            while (left := deadline - time.monotonic()) > 0:
                try:
                    happening = self._heard.get(timeout=left)
                except Empty:
                    break
                if isinstance(happening, Connected):
                    self._link.publish(question)
                elif isinstance(happening, Delivered):
                    # Whoever sends much gets more time for it.
                    deadline = time.monotonic() + ANSWER_SECONDS
                    if take(happening.topic, happening.payload):
                        return
        raise HeadquartersSilent(node=self._node)


def _keep(found: dict[Digest, bytes], digest: Digest, frames: dict[int, Frame]) -> None:
    """Keep a document that is whole and is the one that was asked for; headquarters has no other."""
    content = b"".join(frames[index].chunk for index in sorted(frames))
    if hashlib.sha256(content).hexdigest() == digest:
        found[digest] = content
