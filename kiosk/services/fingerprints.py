"""The identity of a badge or a tag: HMAC-SHA-256 of its UID, so that neither database nor ledger holds a UID to clone."""

from __future__ import annotations

import hmac

from kiosk.domain.identifiers import TagId

#: ISO 14443-3: a 4-byte UID that begins with 08 is drawn anew at each tap and names nobody.
_RANDOM_FIRST = 0x08
_LENGTHS = (4, 7, 10)


class Fingerprints:
    """Hashes UIDs under this cabinet's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, uid: bytes) -> TagId:
        """The identity that this UID stands for."""
        return TagId(hmac.digest(self._key, uid, "sha256").hex())


def is_random(uid: bytes) -> bool:
    """Whether the tag invents its UID."""
    return len(uid) == _LENGTHS[0] and uid[0] == _RANDOM_FIRST


def parse_uid(text: str) -> bytes:
    """Read a UID as people write it: hexadecimal, with or without colons or spaces.

    Raises:
        ValueError: not hexadecimal, or not 4, 7 or 10 bytes.
    """
    uid = bytes.fromhex(text.replace(":", " "))
    if len(uid) not in _LENGTHS:
        raise ValueError("a UID has 4, 7 or 10 bytes")
    return uid
