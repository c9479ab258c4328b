"""Are these the entries of one log, from the first on, and do they lead to the root that was signed?

Constant memory: the last entry's digest and the tree's right edge are all that is kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.ledger.checkpoint import Checkpoint, node_and_stream
from kiosk.ledger.entry import NO_ENTRY, Link, digest, link
from kiosk.ledger.errors import BadEntry, Fault, Unproven
from kiosk.ledger.merkle import Frontier, leaf_hash


def follow(entries: Iterable[bytes], origin: str, head: Checkpoint | None) -> int:
    """Check the form, the id and the `prev` of every entry, and the root at the head's size; returns how many entries there are.

    Raises:
        Unproven: what is wrong, and at which entry.
        WrongOrigin: no log of ours is called so.
    """
    log = ":".join(node_and_stream(origin))
    covered = head.size if head else 0
    number, prev, tree, rest = 0, NO_ENTRY, Frontier(), iter(entries)
    for number, body in enumerate(rest, start=1):
        found = _link(body, origin, number)
        if found.id != f"{log}:{number}":
            raise Unproven(_misplaced(found, log, number, rest), origin, number)
        if found.prev != prev:
            # The bytes before are not those that this entry was chained to; of the first, its own `prev` was changed.
            raise Unproven(Fault.EDITED, origin, max(1, number - 1))
        prev = digest(body)
        if number <= covered:
            tree.append(leaf_hash(body))
    if number < covered:
        raise Unproven(Fault.TRUNCATED, origin, number + 1)
    if head and tree.root() != head.root:
        raise Unproven(Fault.WRONG_ROOT, origin)
    return number


def _link(body: bytes, origin: str, number: int) -> Link:
    try:
        return link(body)
    except BadEntry as e:
        raise Unproven(Fault.MALFORMED, origin, number) from e


def _misplaced(found: Link, log: str, number: int, rest: Iterable[bytes]) -> Fault:
    """Why another entry stands where `number` should."""
    its_log, _, sequence = found.id.rpartition(":")
    if its_log != log:
        return Fault.WRONG_ORIGIN
    if int(sequence) < number:
        # All before are in their places, so this number has been there already.
        return Fault.INSERTED
    missing = f'"id":"{log}:{number}"'.encode()
    return Fault.REORDERED if any(missing in body for body in rest) else Fault.DELETED
