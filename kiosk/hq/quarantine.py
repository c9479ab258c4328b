"""A message in quarantine is judged again once what stood in its way has been put right: exactly as if it had come now.

A head is borne out or refused. An entry adds nothing by itself, for nothing is taken in unsigned: it leaves quarantine when the
same bytes are kept by now.

It may be done beside the headquarters that is serving: whoever finds a journal written by the other reads it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kiosk.domain.errors import NotPlaced
from kiosk.domain.identifiers import Timestamp
from kiosk.hq.admission import admit
from kiosk.hq.session import alarms_of
from kiosk.hq.witness import Enrolled, UnknownLog
from kiosk.ledger.errors import LedgerError
from kiosk.mqtt import topics
from kiosk.mqtt.topics import Kind
from kiosk.store.central import CentralStore
from kiosk.store.stream import Key, Sealed, SignedHead, StaleMemory, Stored
from kiosk.store.supervision import Exhibit, Supervision

#: The headquarters that is serving may write between our reading and our writing.
_TRIES: Final = 3

Batch = tuple[Sequence[Sealed], Sequence[tuple[Key, SignedHead]]]


def release(store: CentralStore, supervision: Supervision, id_: int, at: Timestamp) -> Stored:
    """Judge a message again and take it out of quarantine; tells what it has brought about.

    Raises:
        NotQuarantined: there is none of this number.
        NotPlaced: it still does not fit, and stays; `kind` says why.
        StorageFailed: the database does not answer.
    """
    one = supervision.find(id_)
    batch = _read(store, one)
    done = _store(store, one, batch)
    _require_placed(one, batch, done)
    for node, kind, detail in alarms_of(done):
        supervision.alarm(node, kind, detail, at)
    supervision.release(id_)
    return done


def _read(store: CentralStore, one: Exhibit) -> Batch:
    """The entry or the head that the message is."""
    origin, enrolled = topics.origin(one.topic), Enrolled(store)
    try:
        if origin is not None and origin.kind is Kind.CHECKPOINT:
            return (), [enrolled.open_head(origin.node, one.payload)]
        if origin is not None and origin.kind is Kind.EVENT:
            sealed = admit(one.topic, one.payload)
            if sealed.key not in enrolled:
                raise UnknownLog(sealed.entry.stream)
            return [sealed], ()
    except UnknownLog as e:
        raise NotPlaced(kind="not_enrolled", id=one.id, node=one.node) from e
    except LedgerError as e:
        # Our own words for it; the others may be the sender's.
        raise NotPlaced(kind="unreadable", id=one.id, reason=getattr(e, "reason", e.fault.value)) from e
    # Presence is told anew and documents are asked for again; what was none of these has no place at all.
    raise NotPlaced(kind="no_place", id=one.id)


def _store(store: CentralStore, one: Exhibit, batch: Batch) -> Stored:
    for _ in range(_TRIES):
        with suppress(StaleMemory):
            return store.store(*batch)
    raise NotPlaced(kind="busy", id=one.id)


def _require_placed(one: Exhibit, batch: Batch, done: Stored) -> None:
    if done.misfits:
        raise NotPlaced(kind=done.misfits[0].reason, id=one.id)
    entries, heads = batch
    reach = entries[0].entry.sequence if entries else heads[0][1].checkpoint.size
    (answer,) = done.answers.values()
    if answer.size < reach:
        raise NotPlaced(kind="early", id=one.id, size=answer.size)
