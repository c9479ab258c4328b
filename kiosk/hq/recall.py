"""What a cabinet whose journal was lost is given back: its own entries and documents, in pieces, as often as it asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import select

from kiosk.domain.identifiers import Digest
from kiosk.hq.receipts import cosigned_journals, read_entries
from kiosk.mqtt import topics
from kiosk.mqtt.client import Message
from kiosk.mqtt.messages import Recall, Recalled, RecalledJournal, encode, frames
from kiosk.store.database import Database
from kiosk.store.tables import documents

#: Entries in one answer: some 150 kB.
AT_ONCE: Final = 200


def answers(database: Database, node: str, recall: Recall) -> Iterator[Message]:
    """The answer to one question of this cabinet."""
    if recall.documents:
        yield from _documents(database, node, [Digest(digest) for digest in recall.documents])
    elif recall.stream is not None:
        with database.read() as connection:
            found = read_entries(connection, (node, recall.stream), recall.after, AT_ONCE)
        yield Message(topics.recalled_entries(node, recall.stream, recall.after), b"\n".join(found))
    else:
        yield Message(topics.recalled(node), encode(_journals(database, node)))


def _journals(database: Database, node: str) -> Recalled:
    with database.read() as connection:
        rows = cosigned_journals(connection, node)
    return Recalled(
        [RecalledJournal(row.stream, row.cosigned.decode(), row.refusal and row.refusal.decode()) for row in rows]
    )


def _documents(database: Database, node: str, digests: Sequence[Digest]) -> Iterator[Message]:
    # One at a time in memory. Who knows a digest knows the entry that names it: nobody could guess one.
    for digest in digests:
        with database.read() as connection:
            row = connection.execute(select(documents).where(documents.c.digest == digest)).first()
        topic = topics.recalled_document(node, digest)
        for frame in frames(row.salt + row.content) if row else [b""]:
            yield Message(topic, frame)
