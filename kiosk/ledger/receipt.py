"""A receipt: one entry with the proof that a signed head covers it, in the form of C2SP tlog-proof, `.tlog-proof`.

The entry's bytes travel in the `extra` line. That line is not authenticated by itself: whoever reads it hashes it and follows
the path to the root that was signed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kiosk.ledger.entry import LARGEST_ENTRY, digest, link
from kiosk.ledger.errors import BadReceipt
from kiosk.ledger.note import LARGEST_NOTE, from_base64, to_base64

SUFFIX: Final = ".tlog-proof"
#: tlog-proof, « Format »: the first line.
FIRST_LINE: Final = b"c2sp.org/tlog-proof@v1\n"
#: Twice an entry is more than its base64; 63 hashes are a path in the largest tree there could be.
LARGEST_RECEIPT: Final = len(FIRST_LINE) + 2 * LARGEST_ENTRY + 64 * 64 + LARGEST_NOTE
_HEAD: Final = re.compile(
    r"extra (?P<extra>\S+)\nindex (?P<index>0|[1-9][0-9]{0,17})\n(?P<path>(?:[A-Za-z0-9+/]{43}=\n){0,63})"
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry, where it stands (the first at 0), the way from it to the root, and the signed head."""

    entry: bytes
    index: int
    path: list[bytes]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The file's bytes."""
        lines = [f"extra {to_base64(self.entry)}", f"index {self.index}", *map(to_base64, self.path)]
        return FIRST_LINE + "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint

    @classmethod
    def parse(cls, receipt: bytes) -> Receipt:
        """Read a receipt; nothing in it is believed yet.

        Raises:
            BadReceipt: it is none.
        """
        if len(receipt) > LARGEST_RECEIPT or not receipt.startswith(FIRST_LINE):
            raise BadReceipt("first line")
        head, _, checkpoint = receipt.removeprefix(FIRST_LINE).partition(b"\n\n")
        try:
            found = _HEAD.fullmatch(head.decode("ascii") + "\n")
            if found is None:
                raise BadReceipt("lines")
            path = [from_base64(line) for line in found["path"].split()]
            return cls(from_base64(found["extra"]), int(found["index"]), path, checkpoint)
        except ValueError as e:
            raise BadReceipt("base64") from e


def code(entry: bytes) -> str:
    """What a receipt's QR code holds: the entry's id and its SHA-256, in hex.

    Raises:
        BadEntry: it is no entry.
    """
    return f"{link(entry).id} {digest(entry)}"
