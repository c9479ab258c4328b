"""Signed notes and their keys: C2SP signed-note, and the cosignature/v1 of C2SP tlog-cosignature, both with Ed25519.

Invariants:
    * A note that was parsed encodes to the same bytes, so that nothing can hide in another spelling.
    * A signature by a key that is known must verify; one by a key that is not known says nothing (signed-note, « Signatures »).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kiosk.ledger.errors import BadKey, BadNote, BadSignature

#: signed-note, « Format »: at least 16 signatures have to be taken, of up to 5 kB each in the time after Ed25519.
LARGEST_NOTE: Final = 128 * 1024
#: signed-note, « Format »: not empty, no plus, no Unicode spaces.
_NAME: Final = re.compile(r"[^\s+]+")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_PREFIX: Final = "PRIVATE+KEY+"
#: Bytes: signed-note, « Signatures »; tlog-cosignature, « Format ».
_ID, _TIME = 4, 8


class Kind(IntEnum):
    """signed-note, « Signature types »."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key, the name of who holds it, and what it signs; its text is C2SP's `vkey`."""

    name: str
    kind: Kind
    public: bytes

    @property
    def id(self) -> bytes:
        """signed-note, « Signatures »: SHA-256(name ‖ 0x0A ‖ signature type ‖ public key)[:4]."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{to_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a `vkey`.

        Raises:
            BadKey: it is none, or of another kind than ours.
        """
        name, kind, public = _key_parts(text)
        key = cls(name, kind, public)
        if str(key) != text:
            raise BadKey("hash")
        return key

    def as_kind(self, kind: Kind) -> VerifierKey:
        """The same key where it signs something else."""
        return VerifierKey(self.name, kind, self.public)

    def check(self, text: str, data: bytes) -> int | None:
        """Verify a signature under `text`; returns the time of a cosignature, in seconds since 1970.

        Raises:
            BadSignature: this key did not make it.
        """
        raw, time = data, None
        if self.kind is Kind.COSIGNATURE:
            raw, time = data[_TIME:], int.from_bytes(data[:_TIME], "big")
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(raw, _message(text, time))
        except InvalidSignature as e:
            raise BadSignature from e
        return time


class SigningKey:
    """A secret key; shown, it shows its public half only.

    One secret may be used as both kinds under one name, because what they sign cannot be mistaken for each other: a
    cosigned message begins with `cosignature/v1`, which no text of ours does.
    """

    def __init__(self, name: str, kind: Kind, private: Ed25519PrivateKey) -> None:
        self.verifier = VerifierKey(name, kind, private.public_key().public_bytes_raw())
        self._private = private

    @classmethod
    def generate(cls, name: str, kind: Kind) -> SigningKey:
        """Make a new key."""
        return cls(name, kind, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read what `text` gave.

        Raises:
            BadKey: it is no secret key, or of another kind than ours.
        """
        if not text.startswith(_PREFIX):
            raise BadKey("no secret key")
        name, kind, seed = _key_parts(text.removeprefix(_PREFIX))
        key = cls(name, kind, Ed25519PrivateKey.from_private_bytes(seed))
        if key.text != text:
            raise BadKey("hash")
        return key

    @property
    def text(self) -> str:
        """The secret, in the form of Go's `note` package: one line, without its end."""
        secret = to_base64(bytes([self.verifier.kind]) + self._private.private_bytes_raw())
        return f"{_PREFIX}{self.verifier.name}+{self.verifier.id.hex()}+{secret}"

    def as_kind(self, kind: Kind) -> SigningKey:
        """The same secret to sign something else with."""
        return SigningKey(self.verifier.name, kind, self._private)

    def sign(self, message: bytes) -> bytes:
        """Ed25519 (RFC 8032), 64 bytes."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier})"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line: whose, by which key, and the bytes."""

    name: str
    id: bytes
    data: bytes

    def __str__(self) -> str:
        return f"— {self.name} {to_base64(self.id + self.data)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a line end, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, note: bytes) -> Note:
        """Read a signed note; nothing in it is believed yet.

        Raises:
            BadNote: it is none.
        """
        text, blank, lines = _decoded(note).rpartition("\n\n")
        if not (blank and lines.endswith("\n")):
            raise BadNote("no signatures")
        return cls(text + "\n", tuple(map(_signature, lines[:-1].split("\n"))))

    def encode(self) -> bytes:
        """The note's bytes."""
        return "".join([self.text, "\n", *map(str, self.signatures)]).encode()

    def signed_with(self, key: SigningKey, time: int | None = None) -> Note:
        """The note with one signature more; `time` is a cosignature's, in seconds since 1970."""
        stamp = b"" if time is None else time.to_bytes(_TIME, "big")
        signature = Signature(key.verifier.name, key.verifier.id, stamp + key.sign(_message(self.text, time)))
        return Note(self.text, (*self.signatures, signature))

    def verified(self, keys: Iterable[VerifierKey]) -> list[tuple[VerifierKey, int | None]]:
        """Which of the keys have signed, each with the time of its cosignature.

        Raises:
            BadSignature: one by a known key does not verify.
        """
        known = {(key.name, key.id): key for key in keys}
        found = [(known.get((one.name, one.id)), one.data) for one in self.signatures]
        return [(key, key.check(self.text, data)) for key, data in found if key is not None]


def to_base64(data: bytes) -> str:
    """RFC 4648 §4."""
    return b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """RFC 4648 §4, of which each value has one spelling only.

    Raises:
        ValueError: it is no base64, or spelt otherwise.
    """
    # What is not of the alphabet is passed over here, and missed below.
    data = b64decode(text)
    if to_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def _message(text: str, time: int | None) -> bytes:
    """What is signed: the text, or for a cosignature what tlog-cosignature, « Ed25519 signed message », puts before it."""
    return text.encode() if time is None else f"cosignature/v1\ntime {time}\n{text}".encode()


def _key_parts(text: str) -> tuple[str, Kind, bytes]:
    try:
        # Only the last part, which is base64, can contain a plus.
        name, _, encoded = text.split("+", 2)
        kind, *material = from_base64(encoded)
        if _NAME.fullmatch(name) and len(material) == 32:
            return name, Kind(kind), bytes(material)
    except ValueError as e:
        raise BadKey("form") from e
    raise BadKey("form")


def _decoded(note: bytes) -> str:
    if len(note) > LARGEST_NOTE:
        raise BadNote("too large")
    try:
        text = note.decode()
    except UnicodeDecodeError as e:
        raise BadNote("not UTF-8") from e
    if _CONTROL.search(text):
        raise BadNote("control characters")
    return text


def _signature(line: str) -> Signature:
    found = _SIGNATURE.fullmatch(line)
    try:
        data = from_base64(found[2]) if found else b""
    except ValueError as e:
        raise BadNote("signature line") from e
    if not (found and len(data) > _ID):
        raise BadNote("signature line")
    return Signature(found[1], data[:_ID], data[_ID:])
