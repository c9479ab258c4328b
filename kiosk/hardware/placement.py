"""What lies on a reader, told from polls that miss now and then."""

from __future__ import annotations

from typing import Final

#: The identity of several tags together. Which of them answers is chance, so that whatever answers next is no news.
CROWD: Final = b"several"

#: A poll in which the tag does not answer is normal; two in a row mean that it has gone.
MISSES: Final = 2


class Placement:
    """One placement, one report, however often the tag answers.

    A tag is told from another by its *identity*: its UID, or a stand-in for tags that have no lasting one.
    """

    def __init__(self, away: float) -> None:
        """A tag that was read counts as put down anew only after `away` seconds out of sight: a MIFARE Classic flutters."""
        self._away = away
        self._here: frozenset[bytes] = frozenset()
        self._missed = 0
        self._read: bytes | None = None
        self._last_seen = 0.0

    def is_new(self, identity: bytes, now: float) -> bool:
        """A tag answered: whether it has just been put down."""
        known = identity in self._here or CROWD in self._here
        fluttered = identity == self._read and now - self._last_seen < self._away
        if not (known or fluttered):
            return True
        self._here |= {identity}
        self._saw(now)
        return False

    def settle(self, identities: frozenset[bytes], now: float, read: bytes | None) -> None:
        """These lie here now, and that has been reported; unless one was read, they are new as soon as they have left."""
        self._here = identities
        self._read = read
        self._saw(now)

    def miss(self) -> None:
        """Nothing answered."""
        self._missed += 1
        if self._missed >= MISSES:
            self._here = frozenset()

    def _saw(self, now: float) -> None:
        self._missed = 0
        self._last_seen = now
