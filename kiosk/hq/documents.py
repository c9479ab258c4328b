"""Asking cabinets for documents, and putting the chunks together.

Invariants:
    * A document counts only when it comes from the cabinet that was asked and its bytes have the digest that was asked for.
    * Of each cabinet at most one document is in memory: cabinets send one after the other.
    * What does not come is asked for ever more rarely.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kiosk.domain.identifiers import Digest
from kiosk.mqtt.messages import MOST_WANTED, Frame
from kiosk.store.central import SALT, digest_of

#: Seconds after which a document that has not come, and of which no chunk has, is asked for again; doubles each time.
ASK_AGAIN: Final = 3.0
LONGEST_PAUSE: Final = 3_600.0
#: 64 MiB, more than any scan; a larger count is a mistake or an attack.
MOST_CHUNKS: Final = 1024


class WrongDocument(Exception):
    """The chunks do not make the document that was asked for."""


@dataclass(slots=True)
class _Request:
    at: float
    pause: float = ASK_AGAIN


@dataclass(slots=True)
class _Unfinished:
    digest: Digest
    count: int
    chunks: dict[int, bytes] = field(default_factory=dict)


class Requests:
    """What was asked of each cabinet, and what has come of it so far. Times are seconds of a steady clock."""

    def __init__(self) -> None:
        self._open: dict[str, dict[Digest, _Request]] = {}
        self._unfinished: dict[str, _Unfinished] = {}

    def ask(self, missing: Iterable[tuple[str, Digest]], now: float) -> list[tuple[str, list[str]]]:
        """Which of these to ask for now: node and digests, in messages of a decent size."""
        by_node: dict[str, list[str]] = {}
        for node, digest in missing:
            if self._is_due(node, digest, now):
                by_node.setdefault(node, []).append(digest)
        return [
            (node, digests[start : start + MOST_WANTED])
            for node, digests in by_node.items()
            for start in range(0, len(digests), MOST_WANTED)
        ]

    def receive(self, node: str, digest: Digest, frame: Frame, now: float) -> bytes | None:
        """Take a chunk; the whole document when this was the last one missing.

        Raises:
            WrongDocument: all chunks are here, and the digest is another; it will be asked for again, not soon.
        """
        request = self._open.get(node, {}).get(digest)
        if request is None or not 0 < frame.count <= MOST_CHUNKS:
            return None
        request.at, request.pause = now, ASK_AGAIN
        coming = self._unfinished.get(node)
        if coming is None or (coming.digest, coming.count) != (digest, frame.count):
            coming = self._unfinished[node] = _Unfinished(digest, frame.count)
        coming.chunks[frame.index] = frame.chunk
        if len(coming.chunks) < coming.count:
            return None
        del self._unfinished[node]
        content = b"".join(coming.chunks[index] for index in range(coming.count))
        if len(content) < SALT or digest_of(content) != digest:
            request.pause = LONGEST_PAUSE
            raise WrongDocument(digest)
        return content

    def close(self, digests: Iterable[Digest]) -> None:
        """These are stored."""
        for digest in digests:
            for asked in self._open.values():
                asked.pop(digest, None)

    def begin_again(self, node: str) -> None:
        """This cabinet has come or gone, and has forgotten what it was asked: ask soon."""
        self._unfinished.pop(node, None)
        for request in self._open.get(node, {}).values():
            request.pause = ASK_AGAIN

    def _is_due(self, node: str, digest: Digest, now: float) -> bool:
        asked = self._open.setdefault(node, {})
        request = asked.get(digest)
        if request is None:
            asked[digest] = _Request(now)
            return True
        if now - request.at < request.pause:
            return False
        request.at, request.pause = now, min(2 * request.pause, LONGEST_PAUSE)
        return True
