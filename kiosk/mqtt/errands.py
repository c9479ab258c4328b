"""Documents that headquarters has asked for, cut up one after the other as there is room to send them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Final

from kiosk.domain.identifiers import Digest
from kiosk.mqtt import topics
from kiosk.mqtt.client import Message
from kiosk.mqtt.messages import frames
from kiosk.services.ports import Outbox

log = logging.getLogger(__name__)

#: Requests beyond this are let go; headquarters asks again.
MOST: Final = 1_000


class Errands:
    """What was asked for and is not sent yet. One document is in memory at a time."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._asked: dict[Digest, None] = {}
        self._chunks: Iterator[bytes] = iter(())
        self._topic = ""
        self._told = set[Digest]()

    def ask(self, digests: Sequence[str]) -> None:
        """Take in a request; what is asked for twice is sent once."""
        for digest in digests[: MOST - len(self._asked)]:
            self._asked[Digest(digest)] = None

    def clear(self) -> None:
        """Let everything go."""
        self._asked.clear()
        self._chunks = iter(())

    def next(self) -> Message | None:
        """The next chunk to send, or None when nothing is asked for."""
        while (chunk := next(self._chunks, None)) is None:
            if not self._asked:
                return None
            self._begin(next(iter(self._asked)))
        return Message(self._topic, chunk)

    def _begin(self, digest: Digest) -> None:
        del self._asked[digest]
        content = self._outbox.document(digest)
        if content is None:
            self._tell(digest)
            return
        self._topic, self._chunks = topics.document(self._outbox.node, digest), frames(content)

    def _tell(self, digest: Digest) -> None:
        # Headquarters asks for it again, for ever; one line in the log is enough.
        if digest in self._told:
            return
        if len(self._told) >= MOST:
            self._told.clear()
        self._told.add(digest)
        log.warning("headquarters wants document %s, which is not here", digest)
