"""`kiosk restore --from-hq`: a cabinet's journal made anew from headquarters' copy, going on in a new stream.

Invariants:
    * Nothing is changed until everything has come and was verified.
    * One step puts the new journal in the place of the old one. Cut short before it, the cabinet is the old one, after it the new
      one; either way the restore can be run again.
    * The old database is set aside first, never deleted and never written over. What it holds beyond headquarters' copy goes along
      as evidence, named by the first entry of the new stream.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

from kiosk import bootstrap, keys
from kiosk.clock import SystemClock
from kiosk.config import Settings
from kiosk.domain.errors import BadCopy, NothingToRestore
from kiosk.domain.events import StreamOpened
from kiosk.domain.identifiers import Digest, Root, Size, StreamId
from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint, Refusal, origin
from kiosk.ledger.errors import LedgerError
from kiosk.ledger.note import VerifierKey
from kiosk.mqtt.messages import MOST_WANTED, RecalledJournal
from kiosk.mqtt.recall import Recaller
from kiosk.services.codec import event_from
from kiosk.services.commands import new_command
from kiosk.store.database import one_writer, rollback_file
from kiosk.store.journal import StoredJournal
from kiosk.store.restoration import Intake, Old, Restoration, old_database

_NEW: Final = "cabinet.db.new"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: how many entries and documents, how many documents headquarters does not have either, how many entries
    of the old database go along as evidence, and the name of the journal that the new one follows.

    Then whether the old database could not be read, or not all of it, where it was set aside, and the new journal's public key.
    """

    entries: int
    documents: int
    missing: int
    evidence: int
    former: str
    unread: bool
    set_aside: Path | None
    key: VerifierKey


def restore(settings: Settings, progress: Progress) -> Restored:
    """Restore the cabinet of these settings; its service must not be running.

    Raises:
        WriterBusy: it is.
        StorageBusy: somebody reads the old database, and keeps it.
        HeadquartersSilent, NothingToRestore: nothing came.
        BadCopy: what came is not what headquarters has signed.
    """
    node, stream = settings.cabinet.node, str(uuid.uuid4())
    with one_writer(settings.folder / bootstrap.LOCK):
        made = Restoration(settings.folder / _NEW, node, stream)
        try:
            with (
                old_database(settings.database) as old,
                Recaller(bootstrap.broker(settings), node, bootstrap.VERSION) as headquarters,
            ):
                restored = _Copy(settings, made, old, headquarters, progress).take()
        except BaseException:
            made.discard()
            raise
        made.database.close()
        key = keys.prepare(settings.folder, stream, origin(node, stream))
        set_aside = _put_in_place(settings.folder / _NEW, settings.database)
        keys.take_up(settings.folder, stream)
    return Restored(*restored, old.unread, set_aside, key.verifier)


class _Copy:
    """Headquarters' copy on its way into the new database."""

    def __init__(
        self, settings: Settings, made: Restoration, old: Old, headquarters: Recaller, progress: Progress
    ) -> None:
        self._settings, self._made, self._old = settings, made, old
        self._headquarters, self._progress = headquarters, progress
        self._trusted = keys.trusted(settings.folder)

    def take(self) -> tuple[int, int, int, int, str]:
        """Take it all in, and open the new stream; entries, documents, missing documents, entries kept as evidence, and the name
        of the journal that it follows."""
        journals = {journal.stream: journal for journal in self._headquarters.journals()}
        if not journals:
            raise NothingToRestore(node=self._settings.cabinet.node)
        *_, newest = journals.values()
        intakes = [self._intake(newest.stream, self._cosigned(newest))]
        while (opened := _opened(intakes[0])) is not None:
            # As it was when the later one began, which the later one's own first entry tells.
            head = Checkpoint(self._name(opened.previous), int(opened.size), bytes.fromhex(opened.root))
            intakes.insert(0, self._intake(opened.previous, head))
        self._made.found([intake.stream for intake in intakes])
        named = list(dict.fromkeys(name for intake in intakes for name in intake.named))
        documents = self._documents(named)
        self._made.inherit(self._old)
        evidence = self._old.beyond(self._made.database)
        self._open(intakes[-1], self._refusal(newest), evidence)
        entries = sum(intake.size for intake in intakes)
        return entries, documents, len(named) - documents, len(evidence), self._name(newest.stream)

    # ---- entries

    def _intake(self, stream: str, head: Checkpoint) -> Intake:
        """Take in a journal up to a head that is known to be right."""
        intake = self._made.intake(stream)
        while intake.size < head.size:
            bodies = self._headquarters.entries(stream, intake.size)[: head.size - intake.size]
            if not bodies:
                raise BadCopy(entry=intake.size + 1)
            intake.take(bodies)
            self._progress(intake.size, head.size)
        if intake.root != head.root:
            raise BadCopy(entry=head.size)
        return intake

    def _cosigned(self, journal: RecalledJournal) -> Checkpoint:
        try:
            note, name = journal.checkpoint.encode(), self._name(journal.stream)
            return checkpoint.open_cosigned(note, name, self._trusted).checkpoint
        except LedgerError as e:
            raise BadCopy(entry=0) from e

    def _refusal(self, journal: RecalledJournal) -> Refusal | None:
        if journal.refusal is None:
            return None
        try:
            return checkpoint.open_refusal(journal.refusal.encode(), self._name(journal.stream), self._trusted)
        except LedgerError as e:
            raise BadCopy(entry=0) from e

    def _name(self, stream: str) -> str:
        return origin(self._settings.cabinet.node, stream)

    # ---- documents

    def _documents(self, named: Sequence[Digest]) -> int:
        """Get the documents, from the old database where it has them; how many there are."""
        count = 0
        for start in range(0, len(named), MOST_WANTED):
            wanted = named[start : start + MOST_WANTED]
            found = self._old.documents(wanted)
            if lacking := [name for name in wanted if name not in found]:
                found |= self._headquarters.documents(lacking)
            self._made.keep(found)
            count += len(found)
            self._progress(start + len(wanted), len(named))
        return count

    # ---- the new stream

    def _open(self, followed: Intake, refusal: Refusal | None, evidence: Sequence[bytes]) -> None:
        journal = StoredJournal(self._made.database, SystemClock())
        journal.refold(self._progress)
        with journal.act(new_command(), journal.node) as act:
            act.record(
                StreamOpened(
                    previous=StreamId(followed.stream),
                    size=Size(str(followed.size)),
                    root=Root(followed.root.hex()),
                    evidence=act.keep(b"\n".join(evidence)) if evidence else None,
                    refused_size=Size(str(refusal.size)) if refusal else None,
                    refused_root=Root(refusal.root.hex()) if refusal else None,
                )
            )


def _opened(intake: Intake) -> StreamOpened | None:
    """What the first entry of a journal says of the one before it; None for a cabinet's first."""
    first = intake.first
    event = None if first is None else event_from(first.type, first.data)
    return event if isinstance(event, StreamOpened) else None


def _put_in_place(new: Path, database: Path) -> Path | None:
    """Set the old database aside and put the new one in its place."""
    set_aside = _set_aside(database) if database.exists() else None
    # What a power cut left half done is undone by this file, in the old database: in the new one it would be a disaster.
    rollback_file(database).unlink(missing_ok=True)
    rollback_file(new).unlink(missing_ok=True)
    new.replace(database)
    return set_aside


def _set_aside(database: Path) -> Path:
    """Give the old database a second name, which it keeps when the new one takes the first."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (database.with_name(f"cabinet-{now}{f'-{number}' if number > 1 else ''}.db") for number in count(1))
    set_aside = next(name for name in names if not name.exists() and not rollback_file(name).exists())
    set_aside.hardlink_to(database)
    if rollback_file(database).exists():
        rollback_file(set_aside).hardlink_to(rollback_file(database))
    return set_aside
