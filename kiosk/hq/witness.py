"""Headquarters as witness: the signatures that a cabinet counts on, and whom headquarters lets in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint, Refusal, node_and_stream, open_signed, trimmed
from kiosk.ledger.errors import Fault, LedgerError, WrongOrigin
from kiosk.ledger.note import Kind, Note, SigningKey, VerifierKey
from kiosk.store.central import CentralStore
from kiosk.store.stream import Answer, Key, SignedHead

#: A journal's keys are looked up again after this long, seconds: one may have been let in or retired meanwhile.
LOOK_AGAIN: Final = 1.0
#: Journals that are remembered from one look to the next.
MOST_KNOWN: Final = 10_000


class UnknownLog(LedgerError):
    """Nobody has enrolled this journal."""

    fault = Fault.UNKNOWN_KEY

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.stream = stream


class SigningWitness:
    """Signs for headquarters; see `store.stream.Witness`.

    Args:
        keys: headquarters' own; all of them sign while they change.
        clock: seconds since 1970.
    """

    def __init__(self, keys: Sequence[SigningKey], clock: Callable[[], float] = time.time) -> None:
        self._keys, self._clock = keys, clock

    def cosign(self, head: bytes) -> bytes:
        """The head's note with our cosignature added."""
        return checkpoint.cosign(head, self._keys, int(self._clock()))

    def refuse(self, head: Checkpoint, seen: Checkpoint) -> bytes:
        """Our signed refusal of a head that rewrites what we have seen."""
        refusal = Refusal(head.origin, head.size, head.root, seen.size, seen.root, int(self._clock()))
        return checkpoint.sign_refusal(refusal, self._keys)

    def renew(self, answer: Answer) -> Answer:
        """The answer, signed also by those of our keys that are newer than it."""
        now = int(self._clock())
        return replace(
            answer,
            cosigned=answer.cosigned and self._completed(answer.cosigned, Kind.COSIGNATURE, now),
            refusal=answer.refusal and self._completed(answer.refusal, Kind.ED25519),
        )

    def _completed(self, note: bytes, kind: Kind, time: int | None = None) -> bytes:
        """A note of ours, with the signatures of those keys that have not signed it."""
        signed = Note.parse(note)
        there = {signature.id for signature in signed.signatures}
        for key in (key.as_kind(kind) for key in self._keys):
            if key.verifier.id not in there:
                signed = signed.signed_with(key, time)
        return signed.encode()


class Enrolled:
    """The journals that are let in, by their public keys of now. One thread uses it. Times are seconds of a steady clock."""

    def __init__(self, store: CentralStore) -> None:
        self._store = store
        self._keys: dict[Key, Sequence[VerifierKey]] = {}
        self._looked: dict[Key, float] = {}

    def __contains__(self, key: Key) -> bool:
        """Whether this journal was enrolled."""
        return bool(self._of(key))

    def open_head(self, node: str, note: bytes) -> tuple[Key, SignedHead]:
        """Read a head that came from this node.

        Raises:
            UnknownLog: the journal was not enrolled.
            LedgerError: it is no head of a journal of this node, or bears no signature of a key that was enrolled for it.
        """
        origin = Note.parse(note).text.split("\n", 1)[0]
        key = node_and_stream(origin)
        if key[0] != node:
            raise WrongOrigin(origin)
        if key not in self:
            raise UnknownLog(key[1])
        keys = self._of(key)
        return key, SignedHead(open_signed(note, origin, keys), trimmed(note, keys))

    def forget(self, key: Key) -> None:
        """Look this journal's keys up again at the next occasion: one was retired just now."""
        self._looked.pop(key, None)

    def _of(self, key: Key) -> Sequence[VerifierKey]:
        now = time.monotonic()
        if now - self._looked.get(key, -LOOK_AGAIN) >= LOOK_AGAIN:
            if len(self._looked) >= MOST_KNOWN:
                # Or whoever names ever new journals fills the memory.
                self._keys.clear()
                self._looked.clear()
            self._keys[key], self._looked[key] = self._store.log_keys(*key), now
        return self._keys[key]
