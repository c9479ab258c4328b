"""Signed tree heads (C2SP tlog-checkpoint), headquarters' cosignature on them (C2SP tlog-cosignature), and its refusals.

Invariants:
    * The name of a cabinet's log key is the log's origin: a key signs for one log and no other.
    * A head is believed only through `open_signed` or `open_cosigned`, for the origin that was expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kiosk.ledger.errors import BadNote, UnknownKey, WrongOrigin
from kiosk.ledger.note import Kind, Note, SigningKey, VerifierKey, from_base64, to_base64

#: The name of headquarters' key.
WITNESS: Final = "trousseau/hq"
_REFUSAL: Final = "trousseau-refusal/v1"
_ORIGIN: Final = re.compile(r"trousseau/([a-z0-9-]{3,32})/([0-9A-Za-z-]{1,64})")
#: tlog-checkpoint, « Note text »: decimal, no leading zeros. 18 digits are below 2^63.
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_HASH_BYTES: Final = 32
#: 9999-12-30 23:59:59 UTC, in seconds since 1970: a day before the last date there is, so that every time zone can show it.
_LAST_TIME: Final = 253_402_214_399


def origin(node: str, stream: str) -> str:
    """The name of a cabinet's log."""
    return f"trousseau/{node}/{stream}"


def node_and_stream(origin: str) -> tuple[str, str]:
    """Whose log this is.

    Raises:
        WrongOrigin: it is the name of no log of ours.
    """
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise WrongOrigin(origin)
    return found[1], found[2]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head: how many entries, and the root of the tree over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """tlog-checkpoint, « Note text »."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a checkpoint's text. Extension lines, which nobody could audit, are not taken.

        Raises:
            BadNote: it is none.
        """
        origin, size, root = _lines(text, 3)
        if not origin:
            raise BadNote("no origin")
        return cls(origin, _number(size), _hash(root))


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A head that a witness has seen, and when, in seconds since 1970."""

    checkpoint: Checkpoint
    at: int
    witness: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Headquarters' word that a head rewrites what it has seen. At a size up to `size` it has entries with another root.

    The refused head itself, as the cabinet signed it, is the evidence, and headquarters keeps it with the refusal.
    """

    origin: str
    size: int
    root: bytes
    seen_size: int
    seen_root: bytes
    at: int

    @property
    def text(self) -> str:
        """A line each; none can be taken for a checkpoint, which has three."""
        refused, seen = to_base64(self.root), to_base64(self.seen_root)
        return f"{_REFUSAL}\n{self.origin}\n{self.size}\n{refused}\n{self.seen_size}\n{seen}\n{self.at}\n"

    @classmethod
    def parse(cls, text: str) -> Refusal:
        """Read a refusal's text.

        Raises:
            BadNote: it is none.
        """
        first, origin, size, root, seen_size, seen_root, at = _lines(text, 7)
        if first != _REFUSAL:
            raise BadNote("no refusal")
        return cls(origin, _number(size), _hash(root), _number(seen_size), _hash(seen_root), _time(_number(at)))


def sign(checkpoint: Checkpoint, keys: Sequence[SigningKey]) -> bytes:
    """The signed head; with two keys during a rotation, by both."""
    return _signed(Note(checkpoint.text, ()), Kind.ED25519, keys)


def cosign(note: bytes, keys: Sequence[SigningKey], time: int) -> bytes:
    """A witness's answer to a head that it has verified and `trimmed`: the cabinet's own signatures and ours, nobody else's.

    Raises:
        BadNote: it is no head.
    """
    head = Note.parse(note)
    named = Checkpoint.parse(head.text).origin
    own = tuple(signature for signature in head.signatures if signature.name == named)
    return _signed(Note(head.text, own), Kind.COSIGNATURE, keys, time)


def sign_refusal(refusal: Refusal, keys: Sequence[SigningKey]) -> bytes:
    """The signed refusal; by every key of headquarters during a rotation."""
    return _signed(Note(refusal.text, ()), Kind.ED25519, keys)


def open_signed(note: bytes, origin: str, log_keys: Iterable[VerifierKey]) -> Checkpoint:
    """The head that a cabinet has signed.

    Raises:
        BadNote: it is no head.
        WrongOrigin: it is another log's.
        BadSignature: a known key did not make the signature under its name.
        UnknownKey: no known key has signed.
    """
    head = Note.parse(note)
    checkpoint = _expected(Checkpoint.parse(head.text), origin)
    keys = [key for key in log_keys if key.kind is Kind.ED25519 and key.name == origin]
    if not head.verified(keys):
        raise UnknownKey
    return checkpoint


def trimmed(note: bytes, log_keys: Iterable[VerifierKey]) -> bytes:
    """The note with the signatures of these keys only.

    What a witness gave back with lines that it has not verified could prove wrong later, under a key that was made for it.
    """
    signed, known = Note.parse(note), {(key.name, key.id) for key in log_keys}
    return Note(signed.text, tuple(one for one in signed.signatures if (one.name, one.id) in known)).encode()


def open_cosigned(note: bytes, origin: str, witness_keys: Iterable[VerifierKey]) -> Cosigned:
    """The head that a witness has seen, with its earliest cosignature; the cabinet's key is not needed for that.

    Raises:
        BadNote, WrongOrigin, BadSignature, UnknownKey: as in `open_signed`.
    """
    head = Note.parse(note)
    checkpoint = _expected(Checkpoint.parse(head.text), origin)
    keys = [key for key in witness_keys if key.kind is Kind.COSIGNATURE]
    seen = [(at, key.name) for key, at in head.verified(keys) if at is not None]
    if not seen:
        raise UnknownKey
    at, witness = min(seen)
    return Cosigned(checkpoint, _time(at), witness)


def open_refusal(note: bytes, origin: str, witness_keys: Iterable[VerifierKey]) -> Refusal:
    """What headquarters has refused; its keys may be given in either kind.

    Raises:
        BadNote, WrongOrigin, BadSignature, UnknownKey: as in `open_signed`.
    """
    signed = Note.parse(note)
    refusal = Refusal.parse(signed.text)
    if refusal.origin != origin:
        raise WrongOrigin(refusal.origin)
    if not signed.verified(key.as_kind(Kind.ED25519) for key in witness_keys):
        raise UnknownKey
    return refusal


def _signed(note: Note, kind: Kind, keys: Sequence[SigningKey], time: int | None = None) -> bytes:
    for key in keys:
        note = note.signed_with(key.as_kind(kind), time)
    return note.encode()


def _expected(checkpoint: Checkpoint, origin: str) -> Checkpoint:
    if checkpoint.origin != origin:
        raise WrongOrigin(checkpoint.origin)
    return checkpoint


def _lines(text: str, count: int) -> list[str]:
    lines = text.split("\n")
    if len(lines) != count + 1 or lines[-1]:
        raise BadNote("lines")
    return lines[:-1]


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise BadNote("number")
    return int(text)


def _time(seconds: int) -> int:
    # A signature proves who wrote it, not that it is a date; what cannot be shown would stop whoever shows it.
    if seconds > _LAST_TIME:
        raise BadNote("time")
    return seconds


def _hash(text: str) -> bytes:
    try:
        hash_ = from_base64(text)
    except ValueError as e:
        raise BadNote("hash") from e
    if len(hash_) != _HASH_BYTES:
        raise BadNote("hash")
    return hash_
