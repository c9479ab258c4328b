"""The Merkle tree over the entries: RFC 6962 §2.1, with the verification algorithms of RFC 9162 §2.1.3 and §2.1.4.

Invariants:
    * A tree of any size is made of complete subtrees of 2, 4, 8 … leaves, and a complete subtree never changes again.
    * A leaf and a node are hashed with different prefixes, so that neither can be passed off as the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from kiosk.ledger.errors import BadProof

#: RFC 6962 §2.1: MTH({}) = SHA-256().
EMPTY_ROOT: Final = sha256().digest()
#: Subtrees whose level is a positive multiple of this are worth storing: those of 16, 256, 4096 … leaves.
STRIDE: Final = 4


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 §2.1: SHA-256(0x00 ‖ d)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


class Subtree(NamedTuple):
    """The complete subtree of 2**level leaves that begins at leaf number * 2**level."""

    level: int
    number: int
    hash: bytes


class Subtrees(Protocol):
    """Where hashes of complete subtrees come from; level 0 is a leaf's hash."""

    def hash_of(self, level: int, number: int) -> bytes: ...


class Frontier:
    """A growing tree's right edge: the hashes of its complete subtrees (`peaks_of`), largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)

    def copy(self) -> Frontier:
        """The same tree, to grow on its own."""
        return Frontier(self.size, self._peaks)

    def append(self, leaf: bytes) -> list[Subtree]:
        """Add a leaf by its hash; returns the subtrees worth storing that it completes, usually none."""
        completed = []
        hash_, level, number = leaf, 0, self.size
        # As in binary addition: two complete subtrees of one size make one of twice the size.
        while number & 1:
            hash_ = node_hash(self._peaks.pop(), hash_)
            level, number = level + 1, number >> 1
            if level % STRIDE == 0:
                completed.append(Subtree(level, number, hash_))
        self._peaks.append(hash_)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """RFC 6962 §2.1: MTH of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root, *rest = reversed(self._peaks)
        for peak in rest:
            root = node_hash(peak, root)
        return root


def peaks_of(size: int) -> list[tuple[int, int]]:
    """The (level, number) of the complete subtrees that make up a tree of this size, largest first."""
    # One for each bit of the size; what stands left of a subtree is a multiple of its own size.
    return [(level, (size >> level) - 1) for level in reversed(range(size.bit_length())) if size >> level & 1]


def frontier_at(size: int, subtrees: Subtrees) -> Frontier:
    """The edge of the tree when it had this size."""
    return Frontier(size, (subtrees.hash_of(level, number) for level, number in peaks_of(size)))


def root_at(size: int, subtrees: Subtrees) -> bytes:
    """The root of the tree when it had this size."""
    return frontier_at(size, subtrees).root()


# ---- proofs: D[begin:end] of the RFC are leaves begin … end - 1, and begin is always a multiple of the largest subtree in it


def inclusion_proof(index: int, size: int, subtrees: Subtrees) -> list[bytes]:
    """RFC 6962 §2.1.1: PATH(index, D[0:size]), for an `index` below `size`."""
    path, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _largest_below(end - begin)
        if index < middle:
            path.append(_hash_between(middle, end, subtrees))
            end = middle
        else:
            path.append(_hash_between(begin, middle, subtrees))
            begin = middle
    return path[::-1]


def consistency_proof(old: int, new: int, subtrees: Subtrees) -> list[bytes]:
    """RFC 6962 §2.1.2: PROOF(old, D[0:new]), for an `old` up to `new`; empty when one of the trees is."""
    path, begin, end = [], 0, new
    if old == 0:
        return []
    while end != old:
        middle = begin + _largest_below(end - begin)
        if old <= middle:
            path.append(_hash_between(middle, end, subtrees))
            end = middle
        else:
            path.append(_hash_between(begin, middle, subtrees))
            begin = middle
    # What is left is a subtree of the old tree. If it is the whole old tree, the verifier has its hash already.
    return [*([_hash_between(begin, end, subtrees)] if begin else []), *reversed(path)]


def _largest_below(count: int) -> int:
    """RFC 6962 §2.1: k, the largest power of two smaller than n."""
    return 1 << ((count - 1).bit_length() - 1)


def _hash_between(begin: int, end: int, subtrees: Subtrees) -> bytes:
    """RFC 6962 §2.1: MTH(D[begin:end])."""
    peaks = [subtrees.hash_of(level, (begin >> level) + number) for level, number in peaks_of(end - begin)]
    return Frontier(end - begin, peaks).root()


# ---- verification


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2: the root of the tree of `size` leaves in which `leaf` stands at `index`, if the path is right.

    Raises:
        BadProof: the path has not the length that it must have, or there is no such leaf.
    """
    if not 0 <= index < size:
        raise BadProof
    root, fn, sn = leaf, index, size - 1
    for hash_ in path:
        if sn == 0:
            raise BadProof
        if fn & 1 or fn == sn:
            root = node_hash(hash_, root)
            # A subtree without a right sibling goes up as it is.
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, hash_)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise BadProof
    return root


def check_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """RFC 9162 §2.1.4.2: the tree of `new_size` leaves is the tree of `old_size` leaves with leaves appended.

    Raises:
        BadProof: nothing shows that.
    """
    if old_size == new_size:
        _require(not path and old_root == new_root)
    elif old_size == 0:
        # §2.1.4.1 makes no proof for it: everything begins with the empty tree.
        _require(not path and old_root == EMPTY_ROOT)
    else:
        _require(0 < old_size < new_size and len(path) > 0)
        # A complete old tree is a subtree of the new one: the prover leaves out the hash that the verifier has.
        first, *rest = path if old_size & (old_size - 1) else [old_root, *path]
        _require(_roots_from_consistency(first, rest, old_size, new_size) == (old_root, new_root))


def _roots_from_consistency(first: bytes, rest: Sequence[bytes], old_size: int, new_size: int) -> tuple[bytes, bytes]:
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = first
    for hash_ in rest:
        _require(sn != 0)
        if fn & 1 or fn == sn:
            old, new = node_hash(hash_, old), node_hash(hash_, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, hash_)
        fn, sn = fn >> 1, sn >> 1
    _require(sn == 0)
    return old, new


def _require(holds: bool) -> None:
    if not holds:
        raise BadProof
