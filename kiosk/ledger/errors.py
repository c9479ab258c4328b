"""What a verifier may find. The ledger stands alone, so its errors do too."""

from __future__ import annotations


class LedgerError(Exception):
    """The root of the ledger's errors."""


class BadEntry(LedgerError):
    """The bytes are not a canonical ledger entry."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
