"""The journal's Merkle tree as far as it has been sent, for the heads that go ahead of the entries they cover."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.ledger.merkle import Frontier, leaf_hash
from kiosk.services.heads import Heads
from kiosk.services.ports import Outbox

#: A head covers at most this many entries that none before has covered.
HEAD_EVERY = 32


class Track:
    """Follows what is sent. Going on costs two hashes an entry; going back reads the tree's edge from the journal."""

    def __init__(self, outbox: Outbox, heads: Heads) -> None:
        self._outbox, self._heads = outbox, heads
        self._tree = Frontier()
        #: Roots of heads on the way, by size: the answer to one needs no look at the journal.
        self._roots: dict[int, bytes] = {}

    def begin(self, size: int) -> None:
        """Nothing beyond `size` counts as sent any more."""
        if self._tree.size != size:
            self._tree = self._outbox.frontier(size)

    def head(self, bodies: Sequence[bytes]) -> bytes:
        """The signed head over what was sent and the entries that follow now."""
        for body in bodies:
            self._tree.append(leaf_hash(body))
        self._roots[self._tree.size] = self._tree.root()
        return self._heads.sign(self._tree)

    def head_at(self, size: int) -> bytes:
        """The signed head of this size."""
        return self._heads.sign(self._outbox.frontier(size))

    def root(self, size: int) -> bytes:
        """This journal's own root at a size that it has reached."""
        return self._roots[size] if size in self._roots else self._outbox.frontier(size).root()

    def acknowledged(self, size: int) -> None:
        """Headquarters has this much: earlier roots will not be asked for."""
        self._roots = {other: root for other, root in self._roots.items() if other >= size}
