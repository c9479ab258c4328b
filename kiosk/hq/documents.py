"""Asking cabinets for documents, and putting the chunks together.

Invariant: a document counts only when its bytes have the digest that was asked for; only what was asked for is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kiosk.domain.identifiers import Digest
from kiosk.mqtt.messages import MOST_WANTED, Frame
from kiosk.store.central import SALT, digest_of

#: Seconds after which a document that has not come, and of which no chunk has, is asked for again.
ASK_AGAIN: Final = 3.0
#: 64 MiB, more than any scan; a larger count is a mistake or an attack.
MOST_CHUNKS: Final = 1024


class WrongDocument(Exception):
    """The chunks do not make the document that was asked for."""


@dataclass(slots=True)
class _Request:
    at: float
    count: int = 0
    chunks: dict[int, bytes] = field(default_factory=dict)


class Requests:
    """What was asked for, and what has come of it so far. Times are seconds of a steady clock."""

    def __init__(self) -> None:
        self._open: dict[Digest, _Request] = {}

    def ask(self, missing: Iterable[tuple[str, Digest]], now: float) -> list[tuple[str, list[str]]]:
        """Which of these to ask for now: node and digests, in messages of a decent size."""
        by_node: dict[str, list[str]] = {}
        for node, digest in missing:
            request = self._open.get(digest)
            if request is None or now - request.at >= ASK_AGAIN:
                self._open[digest] = _Request(now)
                by_node.setdefault(node, []).append(digest)
        return [
            (node, digests[start : start + MOST_WANTED])
            for node, digests in by_node.items()
            for start in range(0, len(digests), MOST_WANTED)
        ]

    def receive(self, digest: Digest, frame: Frame, now: float) -> bytes | None:
        """Take a chunk; the whole document when this was the last one missing.

        Raises:
            WrongDocument: all chunks are here, and the digest is another; it will be asked for again.
        """
        request = self._open.get(digest)
        if request is None or not 0 < frame.count <= MOST_CHUNKS:
            return None
        if request.count != frame.count:
            request.count, request.chunks = frame.count, {}
        request.at = now
        request.chunks[frame.index] = frame.chunk
        if len(request.chunks) < request.count:
            return None
        return self._whole(digest, request)

    def close(self, digests: Iterable[Digest]) -> None:
        """These are stored."""
        for digest in digests:
            self._open.pop(digest, None)

    def _whole(self, digest: Digest, request: _Request) -> bytes:
        content = b"".join(request.chunks[index] for index in range(request.count))
        request.count, request.chunks = 0, {}
        if len(content) < SALT or digest_of(content) != digest:
            raise WrongDocument(digest)
        return content
