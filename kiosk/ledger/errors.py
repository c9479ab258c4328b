"""What a verifier may find. The ledger stands alone, so its errors do too."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Why something is not proven; the word that the verifier prints."""

    NOT_OURS = "not-ours"
    MALFORMED = "malformed"
    WRONG_ORIGIN = "wrong-origin"
    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    INSERTED = "inserted"
    TRUNCATED = "truncated"
    WRONG_ROOT = "wrong-root"
    BAD_PROOF = "bad-proof"
    BAD_SIGNATURE = "bad-signature"
    UNKNOWN_KEY = "unknown-key"


class LedgerError(Exception):
    """The root of the ledger's errors."""

    fault: ClassVar[Fault]


class _Malformed(LedgerError):
    fault = Fault.MALFORMED

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BadEntry(_Malformed):
    """The bytes are not a canonical ledger entry."""


class BadKey(_Malformed):
    """The text is not a key in the form of C2SP signed-note."""


class BadNote(_Malformed):
    """The bytes are not a signed note, or its text is not the statement that it should be."""


class BadReceipt(_Malformed):
    """The bytes are not a receipt."""


class WrongOrigin(LedgerError):
    """It is about another log, or the name is none of a log of ours."""

    fault = Fault.WRONG_ORIGIN


class BadProof(LedgerError):
    """The path does not lead from what is there to the root that was signed."""

    fault = Fault.BAD_PROOF


class BadSignature(LedgerError):
    """A key that is trusted did not make the signature that bears its name."""

    fault = Fault.BAD_SIGNATURE


class UnknownKey(LedgerError):
    """No key that is trusted has signed."""

    fault = Fault.UNKNOWN_KEY


class Unproven(Exception):
    """A file does not hold what it claims.

    Args:
        fault: what is wrong.
        origin: of which log, as far as it is known.
        entry: where it shows, counted from 1 (in an export the line); None when it is not about one entry.
    """

    def __init__(self, fault: Fault, origin: str | None = None, entry: int | None = None) -> None:
        super().__init__(fault, origin, entry)
        self.fault, self.origin, self.entry = fault, origin, entry
