"""The heads of one journal: signed here, cosigned or refused by headquarters.

Order is always commit, sign, publish: a head is signed over what is read back from the journal, never over what is about to be
written. A published head that a power cut took back would look like forgery.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint, Cosigned, Refusal
from kiosk.ledger.merkle import Frontier
from kiosk.ledger.note import SigningKey, VerifierKey


def cosigned_cursor(stream: str) -> str:
    """Under which name the newest head that headquarters has cosigned is remembered; `kiosk.ledger.verify` reads it there too."""
    return f"cosigned:{stream}"


def refusal_cursor(stream: str) -> str:
    """Under which name headquarters' refusal of this journal is remembered."""
    return f"refusal:{stream}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What headquarters says of this journal, its signatures verified; the notes are as they came."""

    instance: str
    stream: str
    cosigned: Cosigned | None = None
    note: bytes = b""
    refusal: Refusal | None = None
    refusal_note: bytes = b""

    @property
    def size(self) -> int:
        """How many entries headquarters has signed for."""
        return 0 if self.cosigned is None else self.cosigned.checkpoint.size


class Heads:
    """Signs heads, and reads what headquarters says of them.

    Args:
        origin: the journal's name.
        keys: the journal's own; all of them sign while they change.
        trusted: tells headquarters' public keys that are believed now; asked at every answer, so that a key that was given or
            taken back meanwhile counts, or no longer counts, at once.
    """

    def __init__(self, origin: str, keys: Sequence[SigningKey], trusted: Callable[[], Sequence[VerifierKey]]) -> None:
        self.origin = origin
        self._keys, self._trusted = keys, trusted

    def sign(self, tree: Frontier) -> bytes:
        """The signed head of the journal as far as this tree goes."""
        return checkpoint.sign(Checkpoint(self.origin, tree.size, tree.root()), self._keys)

    def read(self, instance: str, stream: str, cosigned: str | None, refusal: str | None) -> Answer:
        """Verify what headquarters says.

        Raises:
            LedgerError: it does not bear a signature of headquarters' that is believed now, or is about another journal.
        """
        note, no, trusted = (cosigned or "").encode(), (refusal or "").encode(), self._trusted()
        return Answer(
            instance,
            stream,
            checkpoint.open_cosigned(note, self.origin, trusted) if note else None,
            note,
            checkpoint.open_refusal(no, self.origin, trusted) if no else None,
            no,
        )
