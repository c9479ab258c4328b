"""NTAG 424 DNA, the reader's side: what makes a tap more than an identifier.

Invariants:
    * A badge is authenticated only when it has deciphered our fresh challenge and we have deciphered its own
      (AuthenticateEV2First, NXP NT4H2421Gx §9.1.5).
    * Each badge has a key of its own, derived from the master key and its UID (AN10922, AES-128): one opened badge opens no other.
    * A wrong answer is `None`; a lost tag is an exception of the caller's own transport. Neither is ever taken for the other.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC

#: Tells our keys from those that other systems derive from the same UIDs (AN10922 §2.2, "system identifier").
SYSTEM_IDENTIFIER: Final = b"TROUSSEAU"
#: The application key that badges authenticate with. Not 0: that one can change the others.
KEY_NUMBER: Final = 1
#: The NDEF application's name (ISO DF name), which holds the keys.
APPLICATION: Final = bytes.fromhex("D2760000850101")

ISO_OK: Final = b"\x90\x00"
OK: Final = b"\x91\x00"
MORE: Final = b"\x91\xaf"

_ZEROS: Final = bytes(16)


class SendApdu(Protocol):
    """nfcpy's `Type4Tag.send_apdu`: sends one APDU, returns the answer with its two status bytes when they are not checked."""

    def __call__(
        self,
        cla: int,
        ins: int,
        p1: int,
        p2: int,
        data: bytes | None = None,
        mrl: int = 0,
        check_status: bool = True,
    ) -> bytes | bytearray:
        """Send it; a transport's error is raised as it is."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """What both sides share after authentication: the transaction identifier and the two session keys."""

    transaction: bytes
    encryption_key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)


def authenticate(
    send_apdu: SendApdu,
    key: bytes,
    key_number: int = KEY_NUMBER,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Session | None:
    """Make the badge prove that it knows `key` (16 bytes); None when it does not, or has no such application.

    Raises:
        whatever `send_apdu` raises when the tag cannot be reached.
    """
    if _exchange(send_apdu, 0x00, 0xA4, 0x04, APPLICATION)[1] != ISO_OK:
        return None
    sealed, status = _exchange(send_apdu, 0x90, 0x71, 0x00, bytes([key_number, 0]))
    if status != MORE or len(sealed) != 16:
        return None
    ours, theirs = random(16), decrypted(key, sealed)
    answer, status = _exchange(send_apdu, 0x90, 0xAF, 0x00, encrypted(key, ours + rotated(theirs)))
    if status != OK or len(answer) != 32:
        return None
    opened = decrypted(key, answer)
    if not hmac.compare_digest(opened[4:20], rotated(ours)):
        return None
    return Session(opened[:4], *session_keys(key, ours, theirs))


def _exchange(send_apdu: SendApdu, cla: int, ins: int, p1: int, data: bytes) -> tuple[bytes, bytes]:
    """An answer and its status, apart."""
    answer = bytes(send_apdu(cla, ins, p1, 0x00, data, mrl=256, check_status=False))
    return answer[:-2], answer[-2:]


def diversified_key(master: bytes, uid: bytes) -> bytes:
    """The key of the badge with this UID (AN10922 §2.2: UID, then system identifier)."""
    return diversified(master, uid + SYSTEM_IDENTIFIER)


def diversified(master: bytes, diversification_input: bytes) -> bytes:
    """AES-128 key diversification (AN10922 §2.2): a CMAC over two blocks, always two.

    Args:
        master: 16 bytes.
        diversification_input: 1 to 31 bytes.
    """
    if not 1 <= len(diversification_input) <= 31:
        raise ValueError("the diversification input has 1 to 31 bytes")
    blocks = b"\x01" + diversification_input
    subkey = _doubled(encrypted(master, _ZEROS))
    if len(blocks) < 32:
        # Unlike RFC 4493, which pads to the next block, a short input still fills both.
        blocks, subkey = (blocks + b"\x80").ljust(32, b"\x00"), _doubled(subkey)
    last = bytes(a ^ b for a, b in zip(blocks[16:], subkey, strict=True))
    return encrypted(master, blocks[:16] + last)[16:]


def _doubled(subkey: bytes) -> bytes:
    """Multiply by x in GF(2^128) (RFC 4493 §2.3)."""
    shifted = int.from_bytes(subkey, "big") << 1
    return ((shifted & (1 << 128) - 1) ^ (0x87 if shifted >> 128 else 0)).to_bytes(16, "big")


def session_keys(key: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, bytes]:
    """The keys for encryption and for MACs, from both challenges (NT4H2421Gx §9.1.7)."""
    mixed = bytes(a ^ b for a, b in zip(ours[2:8], theirs[:6], strict=True))
    context = b"\x00\x01\x00\x80" + ours[:2] + mixed + theirs[6:] + ours[8:]
    return _cmac(key, b"\xa5\x5a" + context), _cmac(key, b"\x5a\xa5" + context)


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()


def encrypted(key: bytes, blocks: bytes) -> bytes:
    """AES-CBC from a zero vector: in this protocol each use covers fresh random blocks."""
    cipher = Cipher(AES(key), CBC(_ZEROS)).encryptor()
    return cipher.update(blocks) + cipher.finalize()


def decrypted(key: bytes, blocks: bytes) -> bytes:
    """The inverse of `encrypted`."""
    cipher = Cipher(AES(key), CBC(_ZEROS)).decryptor()
    return cipher.update(blocks) + cipher.finalize()


def rotated(challenge: bytes) -> bytes:
    """A challenge with its first byte last: shows that it was deciphered, without repeating it."""
    return challenge[1:] + challenge[:1]
